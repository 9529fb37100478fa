// Signals as events: blocked everywhere, read by the main thread.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace nfbus::host {

// Blocks the signals that the host serves (SIGTERM, SIGINT, SIGHUP, SIGUSR1) and ignores SIGPIPE and SIGXFSZ. Construct
// before any thread exists, so that every thread inherits the mask. Thread safety: wait() from one thread; wake() from
// any.
class Signals {
 public:
  static Result<Signals> block();

  // The next signal's number; empty after wake() or after `timeout`. Negative timeout: none.
  std::optional<int> wait(std::chrono::milliseconds timeout);
  void wake() const noexcept;
  // Readable when wait() would return a signal at once, for those who wait for more than signals.
  [[nodiscard]] int descriptor() const noexcept { return signal_fd_.get(); }

 private:
  Signals(Descriptor signal_fd, Descriptor wake_fd) noexcept
      : signal_fd_(std::move(signal_fd)), wake_fd_(std::move(wake_fd)) {}
  Descriptor signal_fd_;
  Descriptor wake_fd_;
};

}  // namespace nfbus::host
