// The helper process that keeps CAP_NET_ADMIN, and the loss of every other privilege.
#pragma once

#include "privileged/child_process.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
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

enum class HelperState : std::uint8_t { running = 1, stuck = 2, gone = 3 };

struct HelperRequest;

// The near end of the helper: a forked child that answers a few fixed commands over a socket pair and ends when that
// socket closes. Nothing here waits for it without a deadline. Thread safety: as each function says;
// set_queue_threshold() and release_group() from one thread at a time.
class PrivilegedHelper {
 public:
  // [control] Forks; call before any thread exists. The child keeps CAP_NET_ADMIN and, until seal(), what naming a
  // group's holder takes (as far as the process had them).
  static Result<PrivilegedHelper> start();

  PrivilegedHelper(PrivilegedHelper&& other) noexcept;
  PrivilegedHelper& operator=(PrivilegedHelper&& other) noexcept;
  PrivilegedHelper(const PrivilegedHelper&) = delete;
  PrivilegedHelper& operator=(const PrivilegedHelper&) = delete;
  ~PrivilegedHelper() = default;

  // [control] A bound, configured NFLOG socket, owned by the caller. The helper keeps a duplicate for
  // set_queue_threshold(). Errors: busy (names the process that holds the group), refused (no CAP_NET_ADMIN, or
  // sealed), unsupported (no nfnetlink_log), io.
  [[nodiscard]] Result<int> bind_group(const GroupBinding& binding);
  // [control] Once all groups are bound: the helper becomes the caller's effective user, keeps CAP_NET_ADMIN alone and
  // binds no more. Logs what this kernel cannot do of it. Errors: refused, io; then the helper is not to be relied on.
  Result<void> seal();
  // [any] Unacknowledged: the kernel's answer would drown in the log.
  void set_queue_threshold(std::uint16_t group, std::uint32_t queue_threshold) const noexcept;
  // [any] Asks the helper to unbind the group and to forget the duplicate of its socket; false: it could not be asked
  // by `deadline`, or is gone. It can have some 278 requests waiting; beyond that, this waits. It gives the socket room
  // beside what it is full of; the kernel then sends what it still holds for the group, and an NLMSG_ERROR of 0: the
  // caller's socket, read up to that, has all that was logged.
  [[nodiscard]] bool release_group(std::uint16_t group, std::chrono::steady_clock::time_point deadline) const noexcept;

  // [control] Looks after the helper, without waiting; call it about once a second. That it has ended, does not answer
  // or answers again is logged once.
  void check();
  // [any] As the last check() found it.
  [[nodiscard]] HelperState state() const noexcept { return state_; }

 private:
  struct Answer;
  struct Ping {
    std::uint32_t number;
    std::chrono::steady_clock::time_point since;
    bool sent;
  };

  explicit PrivilegedHelper(ChildProcess child) noexcept;
  // Errors are the helper's own, or that it does not answer.
  Result<Answer> ask(HelperRequest request);
  // What waits; io: nothing does.
  Result<Answer> receive();

  ChildProcess child_;
  std::uint32_t requests_ = 0;  // that were numbered
  std::optional<Ping> ping_;    // not answered yet
  std::atomic<HelperState> state_ = HelperState::running;
};

struct Account {
  uid_t uid;
  gid_t gid;
};

// [control] What both moves lead to: `user`, where root can become it; else the effective ids.
Account account_to_become(const std::string& user);

// [control] Steps down in two moves; see host/privileged/README.md. First: effective ids become those of `user`, so
// that files are opened and made with his rights from here on; CAP_DAC_OVERRIDE stays permitted, for
// nfbus::util::DacOverride to raise around a single call. Where `user` has no account (and was
// not named in the configuration), uid 0 stays, without capabilities, and a line says so.
Result<void> lower_privileges(const std::string& user, bool user_given);
// Second, when all is open: nothing is left, on any thread, and no way back.
Result<void> drop_privileges();

}  // namespace nfbus::host
