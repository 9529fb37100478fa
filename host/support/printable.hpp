// Bytes of strangers as text that a terminal or a log may be given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {

// How the character that a text begins with is shown: as it is, or as an escape.
struct ShownCharacter {
  std::size_t taken;  // of the text; at least 1
  std::uint8_t size;  // of `text`
  std::array<char, 10> text;

  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), size}; }
};

// `text` must not be empty. Thread safety: any. Allocates nothing.
[[nodiscard]] ShownCharacter shown_character(std::string_view text) noexcept;

// The text with an escape for each character that could steer a terminal, turn around what stands beside it or hide
// (is_hidden()): \x1b for those of ASCII, \u202e and \U000e0041 for those of Unicode; and \xff for each byte that is
// not UTF-8. Thread safety: any.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace nfbus::host
