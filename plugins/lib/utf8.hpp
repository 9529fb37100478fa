// Characters of texts that strangers had a hand in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace output {

inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD, for what is no UTF-8

// The same without the byte order mark with which editors on Windows begin a file.
[[nodiscard]] constexpr std::string_view without_mark(std::string_view text) noexcept {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

// A character of RFC 3629 that a text begins with. size_bytes 0: it begins with none.
struct Character {
  std::size_t size_bytes = 0;
  std::uint32_t code = 0;
};

// text: not empty.
[[nodiscard]] inline Character first_character(std::string_view text) noexcept {
  const auto byte_at = [text](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at]));
  };
  const std::uint32_t lead = byte_at(0);
  if (lead < 0x80) return {.size_bytes = 1, .code = lead};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code = lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte_at(i) & 0xc0U) != 0x80U) return {};
    code = code << 6U | (byte_at(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast.at(size) || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {.size_bytes = size, .code = code};
}

// Of Unicode's category Cc in ASCII.
[[nodiscard]] constexpr bool is_control(std::uint32_t code) noexcept { return code < 0x20 || code == 0x7f; }

// Of Cc, Cf, Zl and Zp beyond ASCII: what steers a terminal, turns the writing around or is not seen.
[[nodiscard]] constexpr bool is_hidden(std::uint32_t code) noexcept {
  return (code >= 0x80 && code <= 0x9f) || code == 0xad || code == 0x61c || code == 0x180e ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
         (code >= 0xe0000 && code <= 0xe007f);
}

}  // namespace output
