#include "event/pattern.hpp"

#include <cstddef>
#include <vector>

namespace nfbus::host {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool matches(std::string_view pattern, std::string_view text, Extent extent, bool ignore_case) noexcept {
  // Each star takes as little as it can; where that fails, the last one takes a byte more.
  std::size_t at = 0;
  std::size_t i = 0;
  std::size_t behind_star = std::string_view::npos;
  std::size_t star_took_to = 0;
  while (i < text.size()) {
    if (at == pattern.size() && extent == Extent::beginning) return true;
    if (at < pattern.size() && pattern[at] == '*') {
      behind_star = ++at;
      star_took_to = i;
    } else if (at < pattern.size() && pattern[at] == (ignore_case ? lower(text[i]) : text[i])) {
      ++at;
      ++i;
    } else if (behind_star != std::string_view::npos) {
      at = behind_star;
      i = ++star_took_to;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool may_begin_with(std::string_view pattern, std::string_view beginning) {
  // All places in the pattern that what was read so far may lead to.
  std::vector<bool> reached(pattern.size() + 1, false);
  const auto reach = [&](std::vector<bool>& places, std::size_t at) {
    while (at < pattern.size() && pattern[at] == '*') places[at++] = true;
    places[at] = true;
  };
  reach(reached, 0);
  bool any = true;
  for (std::size_t i = 0; i < beginning.size() && any; ++i) {
    std::vector<bool> next(pattern.size() + 1, false);
    any = false;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
      if (!reached[at] || (pattern[at] != '*' && pattern[at] != beginning[i])) continue;
      reach(next, pattern[at] == '*' ? at : at + 1);
      any = true;
    }
    reached.swap(next);
  }
  return any;
}

}  // namespace nfbus::host
