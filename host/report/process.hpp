// Reads what the kernel says of this process.
#pragma once

#include <chrono>
#include <cstdint>

namespace nfbus::host {

struct ProcessNumbers {
  std::uint64_t resident_bytes;
  std::chrono::nanoseconds cpu;  // of all threads, user and system
};

// [any]
[[nodiscard]] ProcessNumbers look_at_process();

}  // namespace nfbus::host
