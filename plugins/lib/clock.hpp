// Times as one number.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <ctime>

namespace output {

// clock_gettime(2), in nanoseconds.
inline std::int64_t clock_ns(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// When an open file came into being (CLOCK_REALTIME, ns); 0: unknown.
inline std::int64_t birth_ns(int fd) noexcept {
  struct statx found {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &found) != 0 || (found.stx_mask & STATX_BTIME) == 0) return 0;
  return found.stx_btime.tv_sec * 1'000'000'000 + found.stx_btime.tv_nsec;
}

}  // namespace output
