// The host's own way down; see README.md beside.
#include "privileged/helper.hpp"
#include "support/log.hpp"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

Error refused(const std::string& what) {
  return {.code = Code::refused, .text = fmt::format("{}: {}", what, std::generic_category().message(errno))};
}

Result<std::optional<Account>> find_account(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return std::optional(Account{.uid = found->pw_uid, .gid = found->pw_gid});
  // What getpwnam(3) lists for "not found".
  if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
    return std::optional<Account>();
  }
  return Error{.code = Code::io,
               .text = fmt::format("cannot look up user {}: {}", name, std::generic_category().message(error))};
}

// Whether `id` exists in this user namespace; `map` is /proc/self/uid_map or gid_map: rows of inside, outside, count.
bool is_mapped(const char* map, std::uint64_t id) {
  std::ifstream rows(map);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (rows >> inside >> outside >> count) {
    if (id >= inside && id - inside < count) return true;
  }
  return false;
}

std::string why_unreachable(const std::string& user, bool exists) {
  if (!exists) return fmt::format("no user {} to become", user);
  return fmt::format(
      "cannot become {}: this user namespace does not have that user, or CAP_SETUID and CAP_SETGID are "
      "missing",
      user);
}

bool has_capability(unsigned capability) noexcept {
  capng_get_caps_process();
  return capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}

bool can_become(const Account& account) {
  return is_mapped("/proc/self/uid_map", account.uid) && is_mapped("/proc/self/gid_map", account.gid) &&
         has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
}

// Nothing that is executed from here on can gain a capability.
Result<void> forbid_gains() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("cannot set no_new_privs");
  if (!has_capability(CAP_SETPCAP)) return {};
  capng_clear(CAPNG_SELECT_BOUNDS);
  if (capng_apply(CAPNG_SELECT_BOUNDS) != 0) return refused("cannot empty the capability bounding set");
  return {};
}

Result<void> drop_own_capabilities() {
  capng_clear(CAPNG_SELECT_ALL);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return refused("cannot drop capabilities");
  return {};
}

// The saved and real ids stay 0 so that the last capability lasts until drop_privileges(); the ids that files are made
// with are the user's.
Result<void> become(const std::string& user, const Account& account) {
  const std::string what = "cannot become user " + user;
  const bool may_override = has_capability(CAP_DAC_OVERRIDE);  // root in a container need not have it
  if (::initgroups(user.c_str(), account.gid) != 0) return refused(what);
  if (::setresgid(account.gid, account.gid, account.gid) != 0) return refused(what);
  if (::setresuid(0, account.uid, 0) != 0) return refused(what);
  capng_clear(CAPNG_SELECT_CAPS);
  // Permitted, never in effect: whatever opens a file has the user's rights, and no link of his leads further.
  if (may_override) capng_updatev(CAPNG_ADD, CAPNG_PERMITTED, CAP_DAC_OVERRIDE, -1);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return refused(what);
  return {};
}

// The line `name:` of a thread's status file, without name and blanks.
std::string status_value(const fs::path& status, std::string_view name) {
  std::ifstream in(status);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(name)) return line.substr(line.find_first_not_of(": \t", name.size()));
  }
  return {};
}

Result<void> check_all_threads() {
  std::error_code error;
  for (fs::directory_iterator task("/proc/self/task", error), end; !error && task != end; task.increment(error)) {
    const fs::path status = task->path() / "status";
    for (const std::string_view set : {"CapPrm", "CapEff"}) {
      const std::string value = status_value(status, set);
      // A thread that ended meanwhile has no status.
      if (value.find_first_not_of('0') == std::string::npos) continue;
      return Error{.code = Code::refused,
                   .text = fmt::format("thread {} ({}) still has capabilities ({} {})",
                                       task->path().filename().string(), status_value(status, "Name"), set, value)};
    }
  }
  if (error) {
    return Error{.code = Code::io,
                 .text = "cannot check the threads' capabilities in /proc/self/task: " + error.message()};
  }
  return {};
}

}  // namespace

Account account_to_become(const std::string& user) {
  const Account own = {.uid = ::geteuid(), .gid = ::getegid()};
  if (own.uid != 0) return own;
  const auto account = find_account(user);
  return account && account->has_value() && can_become(**account) ? **account : own;
}

Result<void> lower_privileges(const std::string& user, bool user_given) {
  if (::geteuid() != 0) {
    if (auto result = forbid_gains(); !result) return result;
    return drop_own_capabilities();
  }
  const auto account = find_account(user);
  if (!account) return account.error();
  if (user_given && !account->has_value()) {
    return Error{.code = Code::not_found,
                 .text = fmt::format(
                     "host.user: there is no user {}: create it (useradd --system {}) or remove the key", user, user)};
  }
  const bool reachable = account->has_value() && can_become(**account);
  if (user_given && !reachable) {
    return Error{.code = Code::refused, .text = "host.user: " + why_unreachable(user, true)};
  }
  if (auto result = forbid_gains(); !result) return result;
  if (reachable && (*account)->uid != 0) return become(user, **account);
  log::info((reachable ? "" : why_unreachable(user, account->has_value()) + ": ") +
            "running as uid 0 without capabilities");
  return drop_own_capabilities();
}

Result<void> drop_privileges() {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  ::getresuid(&real, &effective, &saved);
  // glibc does this on every thread, and leaving uid 0 clears the thread's capabilities.
  if (effective != 0 && (real != effective || saved != effective) &&
      ::setresuid(effective, effective, effective) != 0) {
    return refused("cannot leave uid 0");
  }
  if (auto result = drop_own_capabilities(); !result) return result;
  return check_all_threads();
}

}  // namespace nfbus::host
