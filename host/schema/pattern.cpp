#include "schema/pattern.hpp"

// g++ 12 sees uninitialized std::functions inside of <regex> when it instruments (GCC bug 105562).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <regex>
#include <utility>

namespace nfbus::host::schema_pattern {

Result<void> check(const std::string& pattern) {
  const auto wrong = [](std::string what) { return Error{.code = Code::invalid, .text = std::move(what)}; };
  if (pattern.size() > kMostPatternBytes) {
    return wrong("pattern is longer than " + std::to_string(kMostPatternBytes) + " bytes");
  }
  try {
    const std::regex expression(pattern);
  } catch (const std::regex_error& error) {
    return wrong("pattern is not a regular expression: " + std::string(error.what()));
  }
  return {};
}

bool matches(const std::string& pattern, const std::string& text) {
  return std::regex_search(text, std::regex(pattern));
}

}  // namespace nfbus::host::schema_pattern
