// Times as one number.
#pragma once

#include <cstdint>
#include <ctime>

namespace output {

// clock_gettime(2), in nanoseconds.
inline std::int64_t clock_ns(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace output
