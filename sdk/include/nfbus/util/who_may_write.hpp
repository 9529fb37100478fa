// Tells who else than its owner may write to a file or folder: group(5), acl(5), user_namespaces(7). One rule for what
// the host reads and runs, and for what plugins write. All of it is [any], asks the system at each call, and takes what
// the system cannot tell for the worse.
#pragma once

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace nfbus::util {

namespace detail {

// An id that this namespace of users does not have is shown as the overflow id. Where it has that one, too, nobody can
// tell which is meant.
inline bool is_unmapped(std::uint32_t id, const char* overflow_file, const char* map_file) {
  std::uint64_t overflow = 65534;
  std::ifstream(overflow_file) >> overflow;
  if (id != overflow) return false;
  std::ifstream map(map_file);
  if (!map) return false;
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (map >> inside >> outside >> count) {
    if (id >= inside && id - inside < count) return false;
  }
  return true;
}

using EntryBuffer = std::vector<char>;
constexpr std::size_t kMostEntryBytes = std::size_t{1} << 22U;

// Calls `read(buffer)`, as of getgrgid_r(3), with more room until that is enough. errno; 0: done.
template <typename Read>
int with_room(EntryBuffer& buffer, const Read& read) {
  for (buffer.resize(4096);; buffer.resize(buffer.size() * 4)) {
    const int error = read(buffer);
    if (error != ERANGE || buffer.size() >= kMostEntryBytes) return error;
  }
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

inline bool is_account_of(const char* name, uid_t user) {
  EntryBuffer buffer;
  passwd entry{};
  passwd* found = nullptr;
  const int error =
      with_room(buffer, [&](EntryBuffer& room) { return getpwnam_r(name, &entry, room.data(), room.size(), &found); });
  return error == 0 && found != nullptr && (found->pw_uid == 0 || found->pw_uid == user);
}

// All members that the line of a group names are root or the user.
inline bool has_no_other_member(const group& group, uid_t user) {
  for (char** member = group.gr_mem; *member != nullptr; ++member) {
    if (!is_account_of(*member, user)) return false;
  }
  return true;
}

// The same of all lines with that number in the file: there may be several, of which getgrgid(3) shows one.
inline bool files_have_no_other_member(gid_t number, uid_t user) {
  const File file(std::fopen("/etc/group", "re"));
  EntryBuffer buffer(kMostEntryBytes / 4);
  group entry{};
  group* found = nullptr;
  int error = file ? 0 : errno;
  while (error == 0 && (error = fgetgrent_r(file.get(), &entry, buffer.data(), buffer.size(), &found)) == 0) {
    if (found->gr_gid == number && !has_no_other_member(*found, user)) return false;
  }
  return error == ENOENT;  // the end
}

// Nobody else has it as his first group. Read from the file: getpwent(3) has one place for all threads.
inline bool is_nobody_elses_first_group(gid_t number, uid_t user) {
  const File file(std::fopen("/etc/passwd", "re"));
  EntryBuffer buffer(kMostEntryBytes / 4);
  passwd entry{};
  passwd* found = nullptr;
  int error = file ? 0 : errno;
  while (error == 0 && (error = fgetpwent_r(file.get(), &entry, buffer.data(), buffer.size(), &found)) == 0) {
    if (found->pw_gid == number && found->pw_uid != 0 && found->pw_uid != user) return false;
  }
  return error == ENOENT;
}

// Accounts stand in /etc alone, or in what adds them to their groups' lines: nsswitch.conf(5). A directory (sssd, ldap)
// seldom lists whom it has.
inline bool all_accounts_are_listed() {
  std::ifstream file("/etc/nsswitch.conf");
  std::string line;
  while (std::getline(file, line)) {  // no file, or no such line: `files`
    line.resize(std::min(line.find('#'), line.size()));
    std::istringstream words(line);
    std::string word;
    std::getline(words >> std::ws, word, ':');
    word.resize(std::min(word.find_last_not_of(" \t") + 1, word.size()));
    if (word != "passwd" && word != "group" && word != "initgroups") continue;
    bool in_brackets = false;  // [NOTFOUND=return]
    while (words >> word) {
      in_brackets = in_brackets || word.front() == '[';
      if (!in_brackets && word != "files" && word != "systemd") return false;
      if (word.back() == ']') in_brackets = false;
    }
  }
  return true;
}

// The group is the one that was made for the account, and bears its name.
inline bool is_made_for(const group& group, uid_t user) {
  EntryBuffer buffer;
  passwd entry{};
  passwd* found = nullptr;
  const int error =
      with_room(buffer, [&](EntryBuffer& room) { return getpwuid_r(user, &entry, room.data(), room.size(), &found); });
  return error == 0 && found != nullptr && found->pw_gid == group.gr_gid &&
         std::string(found->pw_name) == group.gr_name;
}

}  // namespace detail

// The owner stands for all that this namespace of users does not have: the root of the machine, and everybody else
// outside. Nobody inside is one of them.
inline bool is_unmapped_user(uid_t owner) {
  return detail::is_unmapped(owner, "/proc/sys/kernel/overflowuid", "/proc/self/uid_map");
}
inline bool is_unmapped_group(gid_t group) {
  return detail::is_unmapped(group, "/proc/sys/kernel/overflowgid", "/proc/self/gid_map");
}

// Nobody but root and the user is in the group: the user's own, as useradd(8) makes it, or one such as Debian's `staff`
// that has no member. Where accounts come from a directory too, only the own one: that has the account's name.
inline bool has_nobody_else(gid_t number, uid_t user) {
  if (is_unmapped_group(number)) return false;
  detail::EntryBuffer buffer;
  group entry{};
  group* found = nullptr;
  const int error = detail::with_room(
      buffer, [&](detail::EntryBuffer& room) { return getgrgid_r(number, &entry, room.data(), room.size(), &found); });
  if (error != 0 || found == nullptr || !detail::has_no_other_member(entry, user)) return false;
  if (!detail::files_have_no_other_member(number, user)) return false;
  if (!detail::is_nobody_elses_first_group(number, user)) return false;
  return detail::is_made_for(entry, user) || detail::is_made_for(entry, 0) || detail::all_accounts_are_listed();
}

// What is open there, were it with O_PATH, has an ACL that may let others write. That shows in the group's bit.
inline bool may_have_acl(int descriptor) {
  const std::string same = "/proc/self/fd/" + std::to_string(descriptor);  // O_PATH has no attributes
  if (getxattr(same.c_str(), "system.posix_acl_access", nullptr, 0) >= 0) return true;
  return errno != ENODATA && errno != EOPNOTSUPP;
}

// Others than its owner, root and `user` may write to what is open there, of which `found` is the status.
inline bool others_may_write(int descriptor, const struct stat& found, uid_t user) {
  if ((found.st_mode & S_IWOTH) != 0) return true;
  if ((found.st_mode & S_IWGRP) == 0) return false;
  return may_have_acl(descriptor) || !has_nobody_else(found.st_gid, user);
}

}  // namespace nfbus::util
