// What the match of one client costs, so that one that takes long costs its own client alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace websocket {

// A process that is stopped, or a machine that is busy, makes a test last, and is no cost of it.
struct ThreadClock {
  // Of the calling thread, at work. A system call.
  static std::chrono::nanoseconds now() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
};

// Thread safety: none. Wall costs next to nothing to read, as most tests do; Work is asked only after a long test.
template <typename Wall = std::chrono::steady_clock, typename Work = ThreadClock>
class MatchCost {
 public:
  // Runs a test that begins at `begin`, and returns what it counts for.
  template <typename Test>
  std::chrono::nanoseconds measure(typename Wall::time_point begin, Test test) {
    const bool is_by_work = by_work_ != 0;
    const std::chrono::nanoseconds work_begin = is_by_work ? Work::now() : std::chrono::nanoseconds();
    test();
    const std::chrono::nanoseconds took = is_by_work ? Work::now() - work_begin : Wall::now() - begin;
    if (took > kLong) {
      by_work_ = kByWork;
      // Nobody knows what it did all the time. If it was at work, so will the next one be.
      if (!is_by_work) return {};
    } else if (is_by_work) {
      --by_work_;
    }
    spent_ += took;
    ++tests_;
    return took;
  }
  void forget() noexcept {
    spent_ = {};
    tests_ = 0;
  }

  // Since forget().
  [[nodiscard]] std::chrono::nanoseconds spent() const noexcept { return spent_; }
  [[nodiscard]] std::uint64_t tests() const noexcept { return tests_; }

 private:
  static constexpr std::chrono::microseconds kLong{50};
  // Tests behind a long one. Also of a match that takes long for some events alone, few go uncounted.
  static constexpr unsigned kByWork = 100;

  std::chrono::nanoseconds spent_{};
  std::uint64_t tests_ = 0;
  unsigned by_work_ = 0;  // so many more tests are measured by Work
};

}  // namespace websocket
