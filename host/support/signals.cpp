#include "support/signals.hpp"

#include "support/system_error.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>
#include <utility>

namespace nfbus::host {

Result<Signals> Signals::block() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // Who writes gets EPIPE or EFBIG instead.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);  // NOLINT(cert-err33-c): cannot fail
  Descriptor signal_fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signal_fd.valid()) return system_error("signalfd");
  Descriptor wake_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd.valid()) return system_error("eventfd");
  return Signals(std::move(signal_fd), std::move(wake_fd));
}

std::optional<int> Signals::wait(std::chrono::milliseconds timeout) {
  std::array<pollfd, 2> fds{pollfd{.fd = signal_fd_.get(), .events = POLLIN, .revents = 0},
                            pollfd{.fd = wake_fd_.get(), .events = POLLIN, .revents = 0}};
  if (::poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  if (fds[1].revents != 0) {
    std::uint64_t wakes = 0;
    [[maybe_unused]] const auto got = ::read(wake_fd_.get(), &wakes, sizeof(wakes));
  }
  signalfd_siginfo info{};
  if (::read(signal_fd_.get(), &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void Signals::wake() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(wake_fd_.get(), &one, sizeof(one));
}

}  // namespace nfbus::host
