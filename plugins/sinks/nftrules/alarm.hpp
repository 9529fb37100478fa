// Calls a function at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace nftrules {

// Thread safety: any thread may set and clear it. The function runs on a thread of the alarm's own, which exists once a
// time was set, and may come late or after clear(): it has to look whether it is still meant.
class Alarm {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Alarm(std::function<void()> ring) : ring_(std::move(ring)) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  // Waits for the function, if it runs.
  ~Alarm() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  // Replaces the time that was set before. The thread has started by the end: what it takes while it starts, the
  // address sanitizer's allocator among it, would stay locked for ever in a process that is forked meanwhile.
  void set(Clock::time_point at) {
    std::unique_lock lock(mutex_);
    at_ = at;
    if (!thread_.joinable()) {
      thread_ = std::thread([this] { run(); });
      changed_.wait(lock, [this] { return is_running_; });
    }
    changed_.notify_all();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    at_.reset();
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    is_running_ = true;
    changed_.notify_all();
    while (!is_ending_) {
      if (!at_) {
        changed_.wait(lock);
      } else if (Clock::now() < *at_) {
        changed_.wait_until(lock, *at_);
      } else {
        at_.reset();
        lock.unlock();
        ring_();
        lock.lock();
      }
    }
  }

  const std::function<void()> ring_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Clock::time_point> at_;
  bool is_running_ = false;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace nftrules
