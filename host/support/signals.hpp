// Signals as events: blocked everywhere, read by the main thread.
#pragma once

#include <nfbus/result.hpp>

#include <chrono>
#include <optional>

namespace nfbus::host {

// Blocks the signals that the host serves (SIGTERM, SIGINT, SIGHUP, SIGUSR1) and ignores SIGPIPE. Construct before any
// thread exists, so that every thread inherits the mask. Thread safety: wait() from one thread; wake() from any.
class Signals {
 public:
  static Result<Signals> block();
  Signals(Signals&& other) noexcept;
  Signals& operator=(Signals&& other) noexcept;
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  // The next signal's number; empty after wake() or after `timeout`. Negative timeout: none.
  std::optional<int> wait(std::chrono::milliseconds timeout);
  void wake() const noexcept;

 private:
  Signals(int signal_fd, int wake_fd) noexcept : signal_fd_(signal_fd), wake_fd_(wake_fd) {}
  int signal_fd_ = -1;
  int wake_fd_ = -1;
};

}  // namespace nfbus::host
