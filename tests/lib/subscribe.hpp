// A subscriber of a bus, in one call.
#pragma once

#include "bus/bus.hpp"

#include <memory>
#include <utility>

namespace nfbus::host::test {

inline std::shared_ptr<Subscription> subscribe(Bus& bus, Interest interest, QueueLimits limits) {
  auto made = std::make_shared<Subscription>(std::move(interest), limits);
  bus.add(made);
  return made;
}

}  // namespace nfbus::host::test
