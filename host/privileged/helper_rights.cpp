#include "privileged/helper_rights.hpp"

#include <cap-ng.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <system_error>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

// Those of `wanted` that are there, effective, and no others. False: errno says why not.
bool keep(std::initializer_list<unsigned> wanted) noexcept {
  capng_get_caps_process();
  unsigned had = 0;  // all of them have numbers below 32
  for (const unsigned capability : wanted) {
    if (capng_have_capability(CAPNG_PERMITTED, capability) == 1) had |= 1U << capability;
  }
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
  capng_clear(CAPNG_SELECT_ALL);
  for (const unsigned capability : wanted) {
    if ((had & 1U << capability) == 0) continue;
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
  }
  return capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) == 0;
}

Error refused(const char* what) {
  return {.code = Code::refused,
          .text = fmt::format("a privileged process cannot {}: {}", what, std::generic_category().message(errno))};
}

}  // namespace

void end_with(pid_t host) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also ends us when some other child still holds the near end of our socket
  if (::getppid() != host) ::_exit(0);
}

void keep_binding_rights() noexcept {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // What fails here fails again once the helper is to serve, and is told then.
  static_cast<void>(keep({CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SETUID, CAP_SETGID}));
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

Result<void> keep_serving_rights(uid_t uid, gid_t gid, pid_t host) {
  if (uid != ::getuid() || uid != ::geteuid() || gid != ::getgid() || gid != ::getegid()) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return refused("keep its capability");
    if (::setgroups(0, nullptr) != 0) return refused("leave its groups");
    if (::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0) return refused("become the user");
    if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return refused("lose what it does not need");
    end_with(host);
  }
  if (!keep({CAP_NET_ADMIN})) return refused("give up its other capabilities");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return refused("hide its memory");
  return {};
}

Result<void> keep_part_rights(uid_t uid, gid_t gid, pid_t host) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("forgo new privileges");
  // As root, while the bounding set can be emptied.
  if (!keep({CAP_NET_ADMIN, CAP_SETUID, CAP_SETGID})) return refused("give up its capabilities");
  return keep_serving_rights(uid, gid, host);
}

}  // namespace nfbus::host
