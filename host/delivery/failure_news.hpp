// Decides when to say that a sink fails, and that it works again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace nfbus::host {

// A failure that begins is said at once, and so is its end; those that begin soon afterwards are held back, and said
// when they last or when their time has come: in ten seconds, and later and later while the sink flaps. Thread safety:
// none.
class FailureNews {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kFirstInterval = std::chrono::seconds(10);
  static constexpr Clock::duration kLongestInterval = std::chrono::minutes(10);
  static constexpr auto kNever = Clock::time_point::max();

  enum class Say : std::uint8_t { nothing = 1, failure, recovery, held_back };

  // A try has failed.
  Say failed(Clock::time_point now) noexcept {
    ++retries_;
    if (!std::exchange(is_bad_, true)) {
      bad_since_ = now;
      ++failures_;
    }
    return poll(now);
  }
  // A try has worked.
  Say worked(Clock::time_point now) noexcept {
    is_bad_ = false;
    if (!said_bad_) return poll(now);
    said_bad_ = false;
    return Say::recovery;
  }
  // When poll() has something to say.
  [[nodiscard]] Clock::time_point due() const noexcept {
    if (said_bad_ || failures_ == 0) return kNever;
    return is_bad_ ? std::min(next_, bad_since_ + kFirstInterval) : next_;
  }
  Say poll(Clock::time_point now) noexcept {
    if (now < due()) return Say::nothing;
    const bool flaps = now < next_ + kFirstInterval;
    interval_ = flaps && next_ != Clock::time_point::min() ? std::min(2 * interval_, kLongestInterval) : kFirstInterval;
    next_ = now + interval_;
    said_bad_ = is_bad_;
    return is_bad_ ? Say::failure : Say::held_back;
  }

  // Returns what is to be told of it: tries that failed, and failures that began, since this was last asked.
  [[nodiscard]] std::uint64_t take_retries() noexcept { return std::exchange(retries_, 0); }
  [[nodiscard]] std::uint64_t take_failures() noexcept { return std::exchange(failures_, 0); }
  [[nodiscard]] Clock::time_point bad_since() const noexcept { return bad_since_; }

 private:
  bool is_bad_ = false;
  bool said_bad_ = false;
  Clock::time_point bad_since_{};
  Clock::time_point next_ = Clock::time_point::min();  // before it, failures that begin are held back
  Clock::duration interval_ = kFirstInterval;
  std::uint64_t retries_ = 0;
  std::uint64_t failures_ = 0;  // that nobody has been told of
};

}  // namespace nfbus::host
