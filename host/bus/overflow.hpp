// Names what a full queue does.
#pragma once

#include <cstdint>

namespace nfbus::host {

enum class Overflow : std::uint8_t {
  drop_oldest = 1,  // the newest events are kept: what a live view wants
  drop_newest = 2,  // what waits is kept: the beginning of an incident stays whole
  spill = 3,        // the oldest go to disk, and are delivered from there; where that cannot be, they are dropped
};

}  // namespace nfbus::host
