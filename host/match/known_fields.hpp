// Knows which annotations there may be.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Lists what a match may ask for beside the keys that are always known. A value; thread safety: as const objects.
struct KnownFields {
  std::vector<std::string> names;  // annotations that filters declare
  bool any = false;                // a filter does not say which it adds: any plain name may be one
  std::string topic_root = {};     // that packets' topics begin with; empty: not known

  [[nodiscard]] bool contains(std::string_view name) const {
    return std::find(names.begin(), names.end(), name) != names.end() || (any && is_plain(name));
  }

  [[nodiscard]] static bool is_plain(std::string_view name) {
    constexpr std::string_view kBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    constexpr std::size_t kMostBytes = 64;
    return !name.empty() && name.size() <= kMostBytes && name.find_first_not_of(kBytes) == std::string_view::npos;
  }
};

}  // namespace nfbus::host
