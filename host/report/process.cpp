#include "report/process.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>

namespace nfbus::host {

namespace {

std::uint64_t resident_bytes() {  // proc(5), statm
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::chrono::nanoseconds cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

ProcessNumbers look_at_process() { return {.resident_bytes = resident_bytes(), .cpu = cpu_time()}; }

}  // namespace nfbus::host
