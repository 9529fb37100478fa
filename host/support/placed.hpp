// The place in a file that a setting comes from.
#pragma once

#include <nfbus/result.hpp>

#include <utility>

namespace nfbus::host {

// Says where a table stands. Tables that only moved are equal.
struct Placed : Location {
  Placed() = default;
  Placed(Location location) : Location(std::move(location)) {}  // NOLINT(google-explicit-constructor)
  bool operator==(const Placed& /*other*/) const noexcept { return true; }
};

}  // namespace nfbus::host
