// Ends a tug of war with another program that changes the same rules again and again.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>

namespace nftrules {

// Counts repairs. Thread safety: none.
class TugOfWar {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::size_t kMostRepairs = 10;
  static constexpr std::chrono::seconds kWithin{60};
  static constexpr std::chrono::seconds kPause{300};

  // Whether the rules may be put back at `now`.
  [[nodiscard]] bool may_repair(Clock::time_point now) const { return now >= paused_until_; }
  // One was. True: it was one too many, and there is a pause.
  bool repaired(Clock::time_point now) {
    while (!repairs_.empty() && now - repairs_.front() > kWithin) repairs_.pop_front();
    repairs_.push_back(now);
    if (repairs_.size() < kMostRepairs) return false;
    repairs_.clear();
    paused_until_ = now + kPause;
    return true;
  }

 private:
  std::deque<Clock::time_point> repairs_;
  Clock::time_point paused_until_;
};

}  // namespace nftrules
