#include "capture/files/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nfbus::host {

std::string Progress::line(Clock::time_point now, std::string_view file, std::uint64_t read_bytes,
                           std::uint64_t file_bytes, std::uint64_t packets) {
  next_ = now + kInterval;
  const double part = file_bytes == 0 ? 1 : static_cast<double>(read_bytes) / static_cast<double>(file_bytes);
  // Somebody may still write to it.
  return fmt::format("{}: {} %, {} packets", file, static_cast<int>(std::min(part, 1.0) * 100), packets);
}

}  // namespace nfbus::host
