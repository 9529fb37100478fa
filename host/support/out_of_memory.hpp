// The end of a process that has no memory left: a line that says so, and time for its last words.
#pragma once

#include "support/log_thread.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>

namespace nfbus::host {

// While it lives, `operator new` that finds no memory, on any thread, logs "out of memory in THREAD", gives back a part
// of a reserve, so that the thread gets what it asked for, and wakes whoever ends the process. Once the reserve is gone
// the process ends without further words, after a moment for those of other threads. Where there is memory, but not as
// much as was asked for at once, it throws as ever, and so it does on the log's thread, which nobody could wait for. An
// exception that leaves a thread is named in the log before the process is aborted; exit() waits for the log's lines.
// One at a time; construct on the thread that ends the process. Thread safety: happened() from any thread.
class OutOfMemory {
 public:
  // wake: allocates nothing; [any].
  OutOfMemory(LogThread& log, std::function<void()> wake);
  OutOfMemory(const OutOfMemory&) = delete;
  OutOfMemory& operator=(const OutOfMemory&) = delete;
  ~OutOfMemory();

  [[nodiscard]] bool happened() const noexcept { return happened_.load(std::memory_order_acquire); }

 private:
  // For what threads still need, and for the texts of the counters.
  static constexpr std::size_t kReserves = 8;

  static void handle_new();
  [[noreturn]] static void handle_terminate() noexcept;
  static void handle_exit() noexcept;
  void handle();
  void begin_end() noexcept;
  [[nodiscard]] bool give_back_some() noexcept;
  [[noreturn]] void end_after_others() noexcept;

  LogThread& log_;
  const std::function<void()> wake_;
  const std::thread::id ending_thread_ = std::this_thread::get_id();
  std::array<std::atomic<void*>, kReserves> reserves_{};  // null: given back
  std::atomic<bool> happened_{false};
};

}  // namespace nfbus::host
