// What of an output will not work later, once the host has only the rights of its user.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/output_folder.hpp>
#include <nfbus/util/output_place.hpp>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::util {

namespace detail {

inline std::string user_name() {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.pw_name;
  return std::to_string(geteuid());
}

inline std::string group_name() {
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  if (getgrgid_r(getegid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.gr_name;
  return std::to_string(getegid());
}

// Folders that are many programs', which must not be given to one of them.
inline bool is_for_all(std::string_view folder) noexcept {
  constexpr std::array<std::string_view, 18> kFolders = {
      "/",    "/boot", "/dev", "/etc", "/home", "/media",   "/mnt",     "/opt",     "/root",
      "/run", "/srv",  "/tmp", "/usr", "/var",  "/var/lib", "/var/log", "/var/run", "/var/spool"};
  return std::find(kFolders.begin(), kFolders.end(), folder) != kFolders.end();
}

inline std::string make_folder(const std::string& path) {
  return "install -d -o " + user_name() + " -g " + group_name() + ' ' + path;
}

}  // namespace detail

// [any] The command that lets the effective user change the folder.
inline std::string mend_folder(const OutputFolder& of) {
  const std::string& path = of.path();
  const struct stat folder = of.status();
  const std::string user = detail::user_name();
  if (folder.st_uid == geteuid()) return "chmod u+rwx " + path;
  if (!detail::is_for_all(path)) return "chown " + user + ' ' + path;
  const std::string own = path == "/" ? "/nfbus" : path + "/nfbus";
  return detail::make_folder(own) + ", and name a file in " + own;
}

// [any] Judges with the rights of the calling thread's effective user alone, whatever capability is permitted, what a
// file sink does at `path` in the course of time: make the file there, rename and remove it, make it again. Nothing:
// all of that will work. Changes nothing. Code::refused: what will not, and the command that mends it;
// Code::not_found: there is no such folder.
//
// The host asks it for each option whose schema says x-output, for `check` and at the start, as the user that it is to
// become.
inline std::optional<Error> output_trouble(const std::string& path) {
  Result<OutputPlace> place = find_output(path, Rights::own);
  const auto wont = [&](const std::string& why, const std::string& command) {
    return Error{Code::refused, why + "; " + command};
  };
  if (!place.ok() && place.error().code == Code::not_found) {
    const std::string folder = folder_of(path);
    return Error{Code::not_found, "there is no folder " + folder + "; " + detail::make_folder(folder)};
  }
  if (!place.ok()) return place.error();
  const std::string user = "user " + detail::user_name();
  struct stat found {};
  const bool is_there = place->look(found) == 0;
  if (is_there && place->by_proc) return std::nullopt;
  if (!is_there && place->by_link) return cannot_open(path, detail::refused(place->dangling()));
  if (is_there) {
    if (std::string why = place->folder.refusal_of(place->name, found); !why.empty()) {
      return cannot_open(path, detail::refused(std::move(why)));
    }
    if (faccessat(AT_FDCWD, place->path().c_str(), W_OK, AT_EACCESS) != 0 && errno == EACCES) {
      return wont(user + " cannot write to " + place->path(), "chown " + detail::user_name() + ' ' + place->path());
    }
    if (!S_ISREG(found.st_mode)) return std::nullopt;  // a FIFO or a device stays as it is
  }
  if (place->folder.cannot_change() != EACCES) return std::nullopt;
  return wont(user + " cannot make files in " + place->folder.path() +
                  ": the file there is not rotated, and is not made again when it was moved or removed",
              mend_folder(place->folder));
}

}  // namespace nfbus::util
