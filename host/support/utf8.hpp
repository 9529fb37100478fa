// UTF-8 of strangers: what is valid, and what stands for the rest.
#pragma once

#include <cstddef>
#include <cstdint>
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

// The code point of a valid sequence beyond ASCII.
[[nodiscard]] std::uint32_t code_point(std::string_view character) noexcept;

// Whether a code point beyond ASCII steers a terminal, ends a line, turns around what stands beside it, or is a mark
// that nobody sees: the invisible ones of Unicode's categories Cc, Cf, Zl and Zp.
[[nodiscard]] bool is_hidden(std::uint32_t code) noexcept;

}  // namespace nfbus::host
