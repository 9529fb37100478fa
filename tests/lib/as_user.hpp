// A test's body in a child that is another user, with what the host keeps of its rights while it starts.
#pragma once

#include "in_child.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
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
  return in_child([&] {
    const bool became = setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(0, uid, 0) == 0 &&
                        keep_override(starting);
    return became ? body() : "cannot become uid " + std::to_string(uid);
  });
}

}  // namespace nfbus::test
