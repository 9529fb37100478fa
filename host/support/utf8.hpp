// UTF-8 of strangers: what is valid, and what stands for the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {

inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

// The sequence that `text` begins with (RFC 3629): its size and whether it is whole and valid. Of a broken one the size
// is that of its longest valid beginning, at least 1, so that it becomes one U+FFFD. `text` must not be empty, nor
// begin with ASCII.
struct Utf8Sequence {
  std::size_t size;
  bool valid;
};
[[nodiscard]] Utf8Sequence utf8_sequence(std::string_view text) noexcept;

// The same of any text but an empty one.
[[nodiscard]] inline Utf8Sequence next_sequence(std::string_view text) noexcept {
  const bool is_ascii = static_cast<unsigned char>(text.front()) < 0x80;
  return is_ascii ? Utf8Sequence{.size = 1, .valid = true} : utf8_sequence(text);
}

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// With U+FFFD for what is not valid.
[[nodiscard]] std::string valid_utf8(std::string_view text);

// The code point of a valid sequence beyond ASCII.
[[nodiscard]] std::uint32_t code_point(std::string_view character) noexcept;

// Returns whether a code point beyond ASCII steers a terminal, ends a line, turns around what stands beside it, or is a
// mark that nobody sees: the invisible ones of Unicode's categories Cc, Cf, Zl and Zp.
[[nodiscard]] bool is_hidden(std::uint32_t code) noexcept;

}  // namespace nfbus::host
