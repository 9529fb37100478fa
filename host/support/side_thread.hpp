// A thread for work that would take its owner too long.
#pragma once

#include "support/mutex.hpp"

#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host {

// Thread safety: its owner's thread, but for what is run.
class SideThread {
 public:
  using Then = std::function<void()>;

  // wake: called on the thread when there is something to take.
  explicit SideThread(std::function<void()> wake) : wake_(std::move(wake)), thread_([this] { work(); }) {}
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;
  // Waits for the piece of work that has begun; what was not begun is forgotten.
  ~SideThread();

  // Runs it there, one after the other; what it returns is for the owner's thread.
  void run(std::function<Then()> piece);
  [[nodiscard]] std::vector<Then> take_done();

 private:
  void work();

  const std::function<void()> wake_;
  Mutex mutex_;
  Condition changed_;
  std::deque<std::function<Then()>> pieces_ NFBUS_GUARDED_BY(mutex_);
  std::vector<Then> done_ NFBUS_GUARDED_BY(mutex_);
  bool ends_ NFBUS_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it begins at once
};

}  // namespace nfbus::host
