// Texts that may have `*` in them, for any run of bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace nfbus::host {

// How much of a text a pattern is about.
enum class Extent : std::uint8_t { whole = 1, beginning };

// [any] ignore_case: of the letters A-Z; the pattern is in lower case then. Never throws, allocates nothing.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text, Extent extent, bool ignore_case) noexcept;

// [any] Returns whether a pattern fits some text, as a whole, that begins with `beginning`. Both are of one case.
[[nodiscard]] bool may_begin_with(std::string_view pattern, std::string_view beginning);

}  // namespace nfbus::host
