// Sees to it that the host ends when it is asked to, though a plugin does not let the main thread go.
#pragma once

#include "support/call_clock.hpp"
#include "support/descriptor.hpp"
#include "support/log_thread.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace nfbus::host {

// A thread that looks at what the main thread cannot look at while it is in a plugin's create(), open() or destroy().
// Once a signal to end has waited for kPatience, or the time of end_by() is over, it names the call and ends the
// process. Thread safety: [control].
class EndGuard {
 public:
  using Clock = std::chrono::steady_clock;
  // Such a call may last so long after the signal.
  static constexpr std::chrono::seconds kPatience{5};

  // After Signals::block(), on the main thread. calls and log outlive it.
  EndGuard(const RunningCalls& calls, LogThread& log) : calls_(calls), log_(log) {}
  EndGuard(const EndGuard&) = delete;
  EndGuard& operator=(const EndGuard&) = delete;
  // Nothing is watched any more.
  ~EndGuard();

  // Before privileges are dropped.
  Result<void> start();
  // Said before the process ends: called on the guard's thread while the main thread is in a plugin; empty: nothing.
  void set_last_words(std::function<void()> last_words);
  // The main thread will have ended by then.
  void end_by(Clock::time_point deadline);

 private:
  void wake() const noexcept;
  void watch();
  [[noreturn]] void end_process(const std::vector<RunningCall>& stuck);
  [[nodiscard]] std::vector<RunningCall> calls_of_main() const;

  const RunningCalls& calls_;
  LogThread& log_;
  Descriptor asked_;  // readable while a signal to end waits for the main thread
  Descriptor wake_;
  Mutex mutex_;
  Clock::time_point deadline_ NFBUS_GUARDED_BY(mutex_) = Clock::time_point::max();
  std::function<void()> last_words_ NFBUS_GUARDED_BY(mutex_);
  bool ends_ NFBUS_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace nfbus::host
