// The log of a running host: nobody who says something waits for its reader.
#pragma once

#include "support/log.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include <unistd.h>

namespace nfbus::host {

// While it lives, log::write() puts lines into a queue of bounded size, from which a thread writes them, whole and in
// order. A line that does not fit is dropped and counted; how many were is said when the reader has caught up. Errors
// may use room that others may not, and warnings more than the rest. Thread safety: [control], but for the last two.
class LogThread {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kQueueBytes = std::size_t{256} << 10U;
  // How long the end waits for a reader.
  static constexpr std::chrono::milliseconds kLastWait{1000};

  // Lines wait until start().
  explicit LogThread(int descriptor = STDERR_FILENO, std::size_t queue_bytes = kQueueBytes);
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;
  // finish(), if nobody has called it. What then waits for a reader is lost: its thread is left behind.
  ~LogThread();

  // The thread, which gives up every capability that it inherits. After the last fork() of a process that logs.
  Result<void> start();
  // Says what repeated lines held back, then flush(). The thread, if there is none, is started for that.
  void finish(Clock::time_point deadline) noexcept;
  // [any] Waits until all lines are written, at most until `deadline`. Allocates nothing.
  void flush(Clock::time_point deadline) noexcept;
  // [any] Returns whether the caller is the thread that writes the lines.
  [[nodiscard]] bool is_this_thread() const noexcept;

 private:
  class Queue;
  std::shared_ptr<Queue> queue_;  // shared with the thread, which may outlive this object in a write
  std::thread thread_;
};

}  // namespace nfbus::host
