// Takes what others ask of a worker, beside events.
#pragma once

#include "bus/event_queue.hpp"
#include "support/mutex.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace nfbus::host {

// Passes a full queue: whoever waits for events or in wait() learns of a request at once. Requests of one kind that
// come before the worker has looked are one. Thread safety: take(), drained() and wait() from the worker; the rest from
// any.
class Mailbox {
 public:
  using Clock = std::chrono::steady_clock;

  // Requests that the worker takes.
  struct Requests {
    bool reopen = false;
    bool wake = false;
  };

  explicit Mailbox(EventQueue& queue) : queue_(queue) {}

  void stop() { post(kStop); }    // never taken back
  void drain() { post(kDrain); }  // until drained()
  void reopen() { post(kReopen); }
  void wake() { post(kWake); }
  void drained() noexcept { bits_.fetch_and(~kDrain, std::memory_order_relaxed); }

  [[nodiscard]] bool stopping() const noexcept { return (bits() & kStop) != 0; }
  [[nodiscard]] bool draining() const noexcept { return (bits() & (kStop | kDrain)) != 0; }  // also while stopping

  [[nodiscard]] Requests take() noexcept {
    if ((bits() & (kReopen | kWake)) == 0) return {};  // the usual case writes nothing
    const std::uint32_t taken = bits_.fetch_and(~(kReopen | kWake), std::memory_order_acq_rel);
    return {.reopen = (taken & kReopen) != 0, .wake = (taken & kWake) != 0};
  }
  // Waits until `until` or until there is something to take, or a stop or drain; events do not wake it. For backoff.
  void wait(Clock::time_point until) {
    MutexLock lock(mutex_);
    while (bits() == 0 && signal_.wait_until(lock, until)) {
    }
  }

 private:
  static constexpr std::uint32_t kStop = 1, kDrain = 2, kReopen = 4, kWake = 8;

  [[nodiscard]] std::uint32_t bits() const noexcept { return bits_.load(std::memory_order_acquire); }
  void post(std::uint32_t bit) {
    {
      // Under the mutex, or wait() could miss it between its look and its sleep.
      const MutexLock lock(mutex_);
      bits_.fetch_or(bit, std::memory_order_acq_rel);
      signal_.notify_all();
    }
    // Behind the bit: a worker that this wakes finds it.
    queue_.interrupt();
  }

  EventQueue& queue_;
  std::atomic<std::uint32_t> bits_{0};
  Mutex mutex_;  // guards nothing but the wait
  Condition signal_;
};

}  // namespace nfbus::host
