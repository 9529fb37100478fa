// Finds those of many prefixes that begin a text, without a look at each.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace nfbus::host {

// Calls visit(element) for those of a std::map or std::set of strings, with transparent order, whose key begins `text`,
// the longest first, until it returns false. Costs a search for each that it finds, and for each byte at most that the
// longest key has.
template <typename Ordered, typename Visit>
void for_each_prefix(Ordered& ordered, std::string_view text, const Visit& visit) {
  const auto key_of = [](const auto& element) -> std::string_view {
    if constexpr (requires { element.first; }) {
      return element.first;
    } else {
      return element;
    }
  };
  for (;;) {
    // Whatever begins the text is not behind it, and all that stands between the two begins with it, too.
    auto found = ordered.upper_bound(text);
    if (found == ordered.begin()) return;
    --found;
    const std::string_view key = key_of(*found);
    const auto common = static_cast<std::size_t>(
        std::distance(key.begin(), std::mismatch(key.begin(), key.end(), text.begin(), text.end()).first));
    if (common == key.size()) {
      if (!visit(*found) || key.empty()) return;
      text = text.substr(0, key.size() - 1);
    } else {
      text = text.substr(0, common);
    }
  }
}

// Calls visit(element) for those whose key begins with `prefix`; it may erase the element.
template <typename Ordered, typename Visit>
void for_each_beginning_with(Ordered& ordered, std::string_view prefix, const Visit& visit) {
  for (auto at = ordered.lower_bound(prefix); at != ordered.end() && std::string_view(at->first).starts_with(prefix);) {
    visit(*at++);
  }
}

}  // namespace nfbus::host
