// A process that the host forks for what takes a capability, and the socket between the two.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace nfbus::host {

// The near end. The child lives until its socket closes, or the host ends. Thread safety: const members from any
// thread.
class ChildProcess {
 public:
  // How a child begins.
  struct Start {
    std::string what;    // "the privileged helper", for errors
    std::string name;    // as ps shows it; cut to 15 bytes
    int socket_type;     // SOCK_SEQPACKET or SOCK_STREAM
    int also_keep = -1;  // a descriptor above kSocket, which stays open in the child
  };
  static constexpr int kSocket = 3;

  // [control] Forks; call before any thread exists. The child calls `run`, which must not return, with nothing but
  // kSocket, also_keep and standard streams that lead nowhere. Signals that a terminal or an administrator sends to all
  // of nfbus are ignored there, the environment is wiped, and it ends when `host` does.
  static Result<ChildProcess> start(const Start& start, const std::function<void(pid_t host)>& run);

  ChildProcess(ChildProcess&&) noexcept = default;
  ChildProcess& operator=(ChildProcess&&) noexcept = default;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // closes the socket and waits for the child a second; then kills it

  [[nodiscard]] int socket() const noexcept { return socket_.get(); }
  [[nodiscard]] bool has_ended() const noexcept;
  // "exit status 1" or "signal 11", once it has ended.
  [[nodiscard]] std::string how_it_ended() const;

 private:
  ChildProcess(Descriptor socket, Descriptor process) noexcept;

  Descriptor socket_;
  Descriptor process_;  // a pidfd: whoever else waits for children cannot make it mean another process
};

// [any] Waits until it can be read (or written, with POLLOUT for `events`), also because its other end is closed;
// false: not by the deadline.
bool wait_for(int descriptor, short events, std::chrono::steady_clock::time_point deadline) noexcept;

}  // namespace nfbus::host
