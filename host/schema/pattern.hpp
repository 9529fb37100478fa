// `pattern` of a schema: ECMAScript regular expressions, found anywhere in the text.
#pragma once

#include <nfbus/result.hpp>

#include <cstddef>
#include <string>

namespace nfbus::host::schema_pattern {

// libstdc++'s matcher recurses for each character of the text, its parser for each group of the pattern.
inline constexpr std::size_t kMostTextBytes = 4096;
inline constexpr std::size_t kMostPatternBytes = 512;

// [any] Errors: Code::invalid, of a pattern that is too long or that nothing can match with.
[[nodiscard]] Result<void> check(const std::string& pattern);

// [any] pattern: one that check() accepts. text: of at most kMostTextBytes.
[[nodiscard]] bool matches(const std::string& pattern, const std::string& text);

}  // namespace nfbus::host::schema_pattern
