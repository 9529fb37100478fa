// Makes the commands that a message tells root to give. Root pastes it: no path in it is more than a word, and
// no folder that many programs use is given to one of them.
#pragma once

#include <nfbus/util/output_folder.hpp>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::util {

// [any] The text as one word of a command: in quotes where the shell would read it otherwise.
inline std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += R"('\'')";
    } else {
      out += c;
    }
  }
  return out + '\'';
}

// [any] The effective user and group, by name if they have one, as a word.
inline std::string user_name() {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return shell_word(entry.pw_name);
  }
  return std::to_string(geteuid());
}
inline std::string group_name() {
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  if (getgrgid_r(getegid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return shell_word(entry.gr_name);
  }
  return std::to_string(getegid());
}

// [any] Returns whether the folder is many programs', by whatever path it was reached.
inline bool is_for_all(const struct stat& folder) noexcept {
  constexpr std::array<const char*, 46> kFolders = {
      "/",          "/bin",           "/boot",          "/dev",           "/dev/shm",
      "/etc",       "/etc/cron.d",    "/home",          "/lib",           "/lib64",
      "/media",     "/mnt",           "/opt",           "/proc",          "/root",
      "/run",       "/run/lock",      "/run/user",      "/sbin",          "/srv",
      "/sys",       "/tmp",           "/usr",           "/usr/bin",       "/usr/lib",
      "/usr/lib64", "/usr/libexec",   "/usr/local",     "/usr/sbin",      "/usr/share",
      "/usr/src",   "/usr/local/bin", "/usr/local/etc", "/usr/local/lib", "/usr/local/sbin",
      "/var",       "/var/cache",     "/var/lib",       "/var/local",     "/var/log",
      "/var/mail",  "/var/opt",       "/var/backups",   "/var/run",       "/var/spool",
      "/var/tmp"};
  if ((folder.st_mode & S_ISVTX) != 0 && (folder.st_mode & S_IWOTH) != 0) return true;
  return std::any_of(kFolders.begin(), kFolders.end(), [&](const char* path) {
    struct stat found {};
    return stat(path, &found) == 0 && same_file(found, folder);
  });
}
inline bool is_for_all(const std::string& path) noexcept {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && is_for_all(found);
}

// [any] Commands; the path is an absolute one.
inline std::string make_folder_command(const std::string& path) {
  return "install -d -o " + user_name() + " -g " + group_name() + ' ' + shell_word(path);
}
inline std::string give_command(const std::string& path) { return "chown " + user_name() + ' ' + shell_word(path); }

// [any] Says what to do where a link on the way is not root's: whoever made it chose what a command would change.
inline std::string remove_link(const std::string& link) { return "remove the link " + shell_word(link); }

}  // namespace nfbus::util
