// Which calls into plugins run, and for how long: for status, for the log, and for the end of a host.
#pragma once

#include "support/mutex.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace nfbus::host {

// A call that has not come back.
struct RunningCall {
  std::string instance;       // "sink.archive"
  std::string_view function;  // "write"
  std::chrono::steady_clock::duration lasts;
  pid_t thread;
  std::uint64_t number;  // of the instance's calls; the same as long as it is the same call
};

// "in write() for 34 s".
[[nodiscard]] std::string to_string(const RunningCall& call);

// What the calls into one instance note. Thread safety: begin() and end() by the thread that calls; now() by any.
class CallClock {
 public:
  // For calls that come back, or for one that lasts as long as what it does.
  enum class Lasts : std::uint8_t { a_while = 1, for_good };

  // name: "sink.archive".
  explicit CallClock(std::string name, Lasts lasts = Lasts::a_while) : instance_(std::move(name)), lasts_(lasts) {}

  // function: lives as long as the program.
  void begin(std::string_view function) noexcept;
  void end() noexcept;
  // The call that runs; nothing between calls.
  [[nodiscard]] std::optional<RunningCall> now() const;
  [[nodiscard]] Lasts lasts() const noexcept { return lasts_; }

 private:
  using Clock = std::chrono::steady_clock;

  const std::string instance_;
  const Lasts lasts_;
  // Odd while a call runs, which the others are of then.
  std::atomic<std::uint64_t> number_{0};
  std::atomic<const char*> function_{nullptr};
  std::atomic<std::size_t> function_bytes_{0};
  std::atomic<Clock::rep> since_{0};
  std::atomic<pid_t> thread_{0};
};

// The clocks of all instances. Thread safety: any.
class RunningCalls {
 public:
  void add(const CallClock& clock);
  void remove(const CallClock& clock);
  // Those that last so long already, but for those that last for good.
  [[nodiscard]] std::vector<RunningCall> longer_than(std::chrono::steady_clock::duration at_least) const;
  // Those, too: when all have been asked to end.
  [[nodiscard]] std::vector<RunningCall> all_longer_than(std::chrono::steady_clock::duration at_least) const;

 private:
  [[nodiscard]] std::vector<RunningCall> find(std::chrono::steady_clock::duration at_least, bool for_good) const;

  mutable Mutex mutex_;
  std::vector<const CallClock*> clocks_ NFBUS_GUARDED_BY(mutex_);
};

}  // namespace nfbus::host
