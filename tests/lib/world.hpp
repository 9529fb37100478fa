// A test's body in a child whose machine has other accounts, or that is in a namespace of users.
#pragma once

#include "in_child.hpp"
#include "temporary_folder.hpp"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

namespace nfbus::test {

// Lines of the files in /etc; root's are always there.
struct World {
  std::string passwd{};
  std::string group{};
  std::string nsswitch = "passwd: files\ngroup: files\n";
};

namespace detail {

inline bool replace_etc(const std::string& name, const std::string& text, const std::filesystem::path& folder) {
  std::ofstream(folder / name) << text;
  return mount((folder / name).c_str(), ("/etc/" + name).c_str(), nullptr, MS_BIND, nullptr) == 0;
}

}  // namespace detail

// What `body` returned in that world. Needs root.
inline std::string in_world(const World& world, const std::function<std::string()>& body) {
  const TemporaryFolder folder;
  return in_child([&]() -> std::string {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return "no mounts";
    if (!detail::replace_etc("passwd", "root:x:0:0::/:/bin/sh\n" + world.passwd, folder.path()) ||
        !detail::replace_etc("group", "root:x:0:\n" + world.group, folder.path()) ||
        !detail::replace_etc("nsswitch.conf", world.nsswitch, folder.path())) {
      return "no bind mounts";
    }
    return body();
  });
}

// What `body` returned as the root of a namespace of users that has nobody but that user of outside, as `unshare -Ur`
// makes it. Needs root. "no namespace of users": the machine allows none.
inline std::string in_user_namespace(uid_t uid, const std::function<std::string()>& body) {
  return in_child([&]() -> std::string {
    if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return "no user";
    prctl(PR_SET_DUMPABLE, 1);  // /proc/self is one's own
    if (unshare(CLONE_NEWUSER) != 0) return "no namespace of users";
    const std::string map = "0 " + std::to_string(uid) + " 1\n";
    if (!(std::ofstream("/proc/self/setgroups") << "deny" << std::flush) ||
        !(std::ofstream("/proc/self/uid_map") << map << std::flush) ||
        !(std::ofstream("/proc/self/gid_map") << map << std::flush)) {
      return "no map";
    }
    return body();
  });
}

}  // namespace nfbus::test
