// Consecutive numbers of records on disk.
#pragma once

#include <cstdint>

namespace nfbus::host {

struct RecordRange {
  std::uint64_t first;
  std::uint64_t count;
};

}  // namespace nfbus::host
