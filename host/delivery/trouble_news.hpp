// When to say that a sink is in trouble, and that it is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace nfbus::host {

// A trouble that begins is said at once, and so is its end; those that begin soon afterwards are held back, and said
// when they last or when their time has come: in ten seconds, and later and later while the sink flaps. Thread safety:
// none.
class TroubleNews {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kFirstInterval = std::chrono::seconds(10);
  static constexpr Clock::duration kLongestInterval = std::chrono::minutes(10);
  static constexpr auto kNever = Clock::time_point::max();

  enum class Say : std::uint8_t { nothing = 1, trouble, recovery, held_back };

  // A try has failed.
  Say failed(Clock::time_point now) noexcept {
    ++retries_;
    if (!std::exchange(is_bad_, true)) {
      bad_since_ = now;
      ++troubles_;
    }
    return look(now);
  }
  // A try has worked.
  Say worked(Clock::time_point now) noexcept {
    is_bad_ = false;
    if (!said_bad_) return look(now);
    said_bad_ = false;
    return Say::recovery;
  }
  // When look() has something to say.
  [[nodiscard]] Clock::time_point due() const noexcept {
    if (said_bad_ || troubles_ == 0) return kNever;
    return is_bad_ ? std::min(next_, bad_since_ + kFirstInterval) : next_;
  }
  Say look(Clock::time_point now) noexcept {
    if (now < due()) return Say::nothing;
    const bool flaps = now < next_ + kFirstInterval;
    interval_ = flaps && next_ != Clock::time_point::min() ? std::min(2 * interval_, kLongestInterval) : kFirstInterval;
    next_ = now + interval_;
    said_bad_ = is_bad_;
    return is_bad_ ? Say::trouble : Say::held_back;
  }

  // What is to be told of it: tries that failed, and troubles that began, since this was last asked.
  [[nodiscard]] std::uint64_t take_retries() noexcept { return std::exchange(retries_, 0); }
  [[nodiscard]] std::uint64_t take_troubles() noexcept { return std::exchange(troubles_, 0); }
  [[nodiscard]] Clock::time_point bad_since() const noexcept { return bad_since_; }

 private:
  bool is_bad_ = false;
  bool said_bad_ = false;
  Clock::time_point bad_since_{};
  Clock::time_point next_ = Clock::time_point::min();  // before it, troubles that begin are held back
  Clock::duration interval_ = kFirstInterval;
  std::uint64_t retries_ = 0;
  std::uint64_t troubles_ = 0;  // that nobody has been told of
};

}  // namespace nfbus::host
