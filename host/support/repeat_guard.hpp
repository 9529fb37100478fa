// Keeps a repeated complaint from flooding the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace nfbus::host {

// Lets the first complaint through, then at most one each `interval`, with how many were held back in between.
// Thread safety: none.
class RepeatGuard {
 public:
  using Clock = std::chrono::steady_clock;
  explicit RepeatGuard(Clock::duration interval = std::chrono::seconds(10)) : interval_(interval) {}

  // Empty: stay silent. Else: say it, and that so many like it were not said since the last.
  std::optional<std::uint64_t> admit(Clock::time_point now = Clock::now()) {
    if (last_ && now - *last_ < interval_) {
      ++held_back_;
      return std::nullopt;
    }
    last_ = now;
    return std::exchange(held_back_, 0);
  }

 private:
  const Clock::duration interval_;
  std::optional<Clock::time_point> last_;
  std::uint64_t held_back_ = 0;
};

}  // namespace nfbus::host
