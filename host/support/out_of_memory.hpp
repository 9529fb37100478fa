// The end of a process that has no memory left: a line that says so, and time for its last words.
#pragma once

#include "support/log_thread.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>

namespace nfbus::host {

// While it lives, `operator new` that finds no memory, on any thread, logs "out of memory in THREAD", gives back a
// reserve, so that the thread gets what it asked for, and wakes whoever ends the process. Where that is not enough the
// process ends without further words, after a moment for those of other threads. An exception that leaves a thread is
// named in the log before the process is aborted. One at a time; construct on the thread that ends the process. Thread
// safety: happened() from any thread.
class OutOfMemory {
 public:
  // wake: allocates nothing; [any].
  OutOfMemory(LogThread& log, std::function<void()> wake);
  OutOfMemory(const OutOfMemory&) = delete;
  OutOfMemory& operator=(const OutOfMemory&) = delete;
  ~OutOfMemory();

  [[nodiscard]] bool happened() const noexcept { return happened_.load(std::memory_order_acquire); }

 private:
  static void handle_new() noexcept;
  [[noreturn]] static void handle_terminate() noexcept;
  void handle() noexcept;
  [[noreturn]] void end_now() noexcept;

  LogThread& log_;
  const std::function<void()> wake_;
  const std::thread::id ending_thread_ = std::this_thread::get_id();
  void* const reserve_;
  std::atomic<bool> happened_{false};
};

}  // namespace nfbus::host
