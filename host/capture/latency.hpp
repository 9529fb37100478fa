// How `latency_ms` becomes the kernel's batching: figures and reasons in README.md beside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace nfbus::host {

// Large enough that the size of a datagram ends a batch, not its count.
inline constexpr std::uint32_t kLargeThreshold = 5000;
inline constexpr std::uint32_t kAtOnceThreshold = 1;

// NFULA_CFG_TIMEOUT counts 10 ms; 0 means the kernel's next tick (1-10 ms, by CONFIG_HZ).
constexpr std::uint32_t timeout_10ms(std::uint32_t latency_ms) noexcept { return latency_ms / 10; }

// Chooses the threshold of a group with latency_ms = 0: each packet at once while quiet, batches under load, with
// hysteresis in between. Thread safety: none.
class AdaptiveThreshold {
 public:
  // After each read. Returns whether threshold() has changed.
  bool packets_arrived(std::size_t packets, std::int64_t now_ns) noexcept {
    packets_ += packets;
    const std::int64_t elapsed_ns = now_ns - window_start_ns_;
    // So short a look would take a burst for a load; a clock that was set back starts a new window.
    if (elapsed_ns >= 0 && (elapsed_ns < kWindowNs || (packets_ < kLeastPackets && !batching_))) return false;
    const auto rate = elapsed_ns > 0 ? static_cast<double>(packets_) * 1e9 / static_cast<double>(elapsed_ns) : 0.0;
    const bool batching = rate > (batching_ ? kQuietPerSecond : kLoadPerSecond);
    window_start_ns_ = now_ns;
    packets_ = 0;
    return batching != std::exchange(batching_, batching);
  }

  // While batching, silence too must be noticed: the caller reports 0 packets about each kIdleLookMs.
  [[nodiscard]] bool batching() const noexcept { return batching_; }
  [[nodiscard]] std::uint32_t threshold() const noexcept { return batching_ ? kLargeThreshold : kAtOnceThreshold; }

  static constexpr int kIdleLookMs = 20;

 private:
  static constexpr std::int64_t kWindowNs = 10'000'000;
  static constexpr std::size_t kLeastPackets = 16;
  static constexpr double kLoadPerSecond = 5000;
  static constexpr double kQuietPerSecond = 2500;

  bool batching_ = false;
  std::size_t packets_ = 0;
  std::int64_t window_start_ns_ = 0;
};

}  // namespace nfbus::host
