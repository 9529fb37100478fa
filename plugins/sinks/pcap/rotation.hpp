// When a file is full.
#pragma once

#include "encoder.hpp"

#include <cstdint>

namespace pcapsink {

struct RotationLimits {
  std::uint64_t size_bytes = 0;  // a file gets no packet beyond it, but for a single larger one; 0: no limit
  std::int64_t age_s = 0;        // 0: no limit
  std::uint64_t packets = 0;     // 0: no limit
};

// Times are of a clock that never goes back. Thread safety: none.
class Rotation {
 public:
  explicit Rotation(RotationLimits limits) : limits_(limits) {}

  [[nodiscard]] bool enabled() const noexcept {
    return limits_.size_bytes != 0 || limits_.age_s != 0 || limits_.packets != 0;
  }

  // A file that is so old was opened.
  void opened(std::int64_t age_ns, std::int64_t now_ns) noexcept { birth_ns_ = now_ns - (age_ns > 0 ? age_ns : 0); }

  // How much goes into a file that has so much already.
  [[nodiscard]] Room room(std::uint64_t size_bytes, std::uint64_t packets) const noexcept;
  // Whether the file is too old. One without packets never is.
  [[nodiscard]] bool too_old(std::uint64_t packets, std::int64_t now_ns) const noexcept;

  // A rotation failed: for 10 s no limit holds, so that packets go on into the same file.
  void failed(std::int64_t now_ns) noexcept { held_until_ns_ = now_ns + kHoldOffNs; }
  [[nodiscard]] bool held_off(std::int64_t now_ns) const noexcept { return now_ns < held_until_ns_; }

 private:
  static constexpr std::int64_t kHoldOffNs = 10'000'000'000;

  const RotationLimits limits_;
  std::int64_t birth_ns_ = 0;
  std::int64_t held_until_ns_ = 0;
};

}  // namespace pcapsink
