// `pattern` of a schema: ECMAScript regular expressions, found anywhere in the text.
#pragma once

#include <cstddef>
#include <string>

namespace nfbus::host::schema_pattern {

// libstdc++'s matcher recurses for each character of the text, its parser for each group of the pattern.
inline constexpr std::size_t kMostTextBytes = 4096;
inline constexpr std::size_t kMostPatternBytes = 512;

// [any] What is wrong with the pattern; empty: nothing.
[[nodiscard]] std::string fault(const std::string& pattern);

// [any] pattern: without a fault. text: of at most kMostTextBytes.
[[nodiscard]] bool matches(const std::string& pattern, const std::string& text);

}  // namespace nfbus::host::schema_pattern
