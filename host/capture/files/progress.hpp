// How far the reading of a file is, for whoever waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfbus::host {

// Thread safety: none.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kInterval{1};

  explicit Progress(Clock::time_point now) noexcept : next_(now + kInterval) {}

  [[nodiscard]] bool is_due(Clock::time_point now) const noexcept { return now >= next_; }
  // "big.pcap.zst: 42 %, 1300000 packets". read_bytes: of the file as it lies there.
  [[nodiscard]] std::string line(Clock::time_point now, std::string_view file, std::uint64_t read_bytes,
                                 std::uint64_t file_bytes, std::uint64_t packets);

 private:
  Clock::time_point next_;
};

}  // namespace nfbus::host
