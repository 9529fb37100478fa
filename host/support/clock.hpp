// The time of day, as events carry it.
#pragma once

#include <chrono>
#include <cstdint>

namespace nfbus::host {

// [any] Nanoseconds since the epoch.
[[nodiscard]] inline std::int64_t realtime_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace nfbus::host
