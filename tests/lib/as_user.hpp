// A test's body in a child that is another user, with what the host keeps of its rights while it starts.
#pragma once

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <functional>
#include <string>

namespace nfbus::test {

inline constexpr uid_t kNobody = 65534;

// Leaves CAP_DAC_OVERRIDE in the permitted set alone, or nothing.
inline bool keep_override(bool keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (keep) sets[0].permitted = 1U << CAP_DAC_OVERRIDE;
  return syscall(SYS_capset, &header, sets.data()) == 0;
}

// What `body` returned there. Needs root.
inline std::string as_user(uid_t uid, bool starting, const std::function<std::string()>& body) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::string said = "cannot become uid " + std::to_string(uid);
    try {
      if (setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(0, uid, 0) == 0 &&
          keep_override(starting)) {
        said = body();
      }
    } catch (const std::exception& error) {
      said = error.what();
    }
    [[maybe_unused]] const auto written = write(ends[1], said.data(), said.size());
    _exit(0);
  }
  close(ends[1]);
  std::string said;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; (size = read(ends[0], part.data(), part.size())) > 0;) {
    said.append(part.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return said;
}

}  // namespace nfbus::test
