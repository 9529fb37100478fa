// UTF-8 of strangers: what is valid, and what stands for the rest.
#pragma once

#include <cstddef>
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

}  // namespace nfbus::host
