// The helper process that keeps CAP_NET_ADMIN, and the loss of every other privilege.
#pragma once

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace nfbus::host {

// How to bind one NFLOG group.
struct GroupBinding {
  std::uint16_t group;
  std::uint32_t copy_range_bytes;   // snaplen
  std::uint32_t recv_buffer_bytes;  // SO_RCVBUFFORCE
  std::uint32_t batch_bytes;        // NFULA_CFG_NLBUFSIZ
  std::uint32_t queue_threshold;    // NFULA_CFG_QTHRESH
  std::uint32_t timeout_10ms;       // NFULA_CFG_TIMEOUT, units of 10 ms
};

// The near end of the helper: a forked child that answers a few fixed commands over a socket pair and ends when that
// socket closes. Thread safety: bind_group() [control]; the others from one other thread at a time.
class PrivilegedHelper {
 public:
  // [control] Forks; call before any thread exists. The child keeps CAP_NET_ADMIN alone (or what the process had).
  static Result<PrivilegedHelper> start();

  PrivilegedHelper(PrivilegedHelper&& other) noexcept;
  PrivilegedHelper& operator=(PrivilegedHelper&& other) noexcept;
  PrivilegedHelper(const PrivilegedHelper&) = delete;
  PrivilegedHelper& operator=(const PrivilegedHelper&) = delete;
  ~PrivilegedHelper();  // closes the socket and waits for the child

  // A bound, configured NFLOG socket, owned by the caller. The helper keeps a duplicate for set_queue_threshold().
  // Errors: busy (names the process that holds the group), refused (no CAP_NET_ADMIN), unsupported (no
  // nfnetlink_log), io.
  [[nodiscard]] Result<int> bind_group(const GroupBinding& binding) const;
  // Unacknowledged: the kernel's answer would drown in the log.
  void set_queue_threshold(std::uint16_t group, std::uint32_t queue_threshold) const noexcept;
  // Asks the helper to unbind the group and to forget the duplicate of its socket; false: it could not be asked by
  // `deadline`, or is gone. It can have some 278 requests waiting; beyond that, this waits. It gives the socket room
  // beside what it is full of; the kernel then sends what it still holds for the group, and an NLMSG_ERROR of 0: the
  // caller's socket, read up to that, has all that was logged.
  [[nodiscard]] bool release_group(std::uint16_t group, std::chrono::steady_clock::time_point deadline) const noexcept;

 private:
  PrivilegedHelper(int socket, pid_t child) noexcept : socket_(socket), child_(child) {}
  int socket_ = -1;
  pid_t child_ = -1;
};

// [control] The uid that both moves lead to: of `user`, where root can become it; else the effective one.
uid_t uid_to_become(const std::string& user);

// [control] Steps down in two moves; see host/privileged/README.md. First: effective ids become those of `user`, so
// that files are opened and made with his rights from here on; CAP_DAC_OVERRIDE stays permitted, for
// nfbus::util::DacOverride to raise around a single call. Where `user` has no account (and was
// not named in the configuration), uid 0 stays, without capabilities, and a line says so.
Result<void> lower_privileges(const std::string& user, bool user_given);
// Second, when all is open: nothing is left, on any thread, and no way back.
Result<void> drop_privileges();

}  // namespace nfbus::host
