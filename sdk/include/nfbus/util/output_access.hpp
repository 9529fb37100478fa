// Finds what of an output will not work later, once the host has only the rights of its user.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/commands.hpp>
#include <nfbus/util/output_folder.hpp>
#include <nfbus/util/output_place.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace nfbus::util {

// [any] Returns what lets the effective user change the folder: a command, or the link to remove.
inline std::string mend_folder(const OutputFolder& of) {
  const std::string path = of.real_path();
  const struct stat folder = of.status();
  if (folder.st_uid == geteuid()) return "chmod u+rwx " + shell_word(path);
  if (!of.users_link().empty()) return remove_link(of.users_link());
  if (!is_for_all(folder)) return give_command(path);
  const std::string own = path == "/" ? "/nfbus" : path + "/nfbus";
  return make_folder_command(own) + ", and name a file in " + own;
}

namespace detail {

// Returns what lets the effective user write to the file, which is there, and rename it.
inline std::string mend_file(const OutputPlace& place, const struct stat& found) {
  const std::string folder = place.folder.real_path();
  const std::string path = folder == "/" ? folder + place.name : folder + '/' + place.name;
  if (found.st_uid == geteuid()) return "chmod u+rw " + shell_word(path);
  if (!place.folder.users_link().empty()) return remove_link(place.folder.users_link());
  // Another of its names may be that of a file which must not be given away.
  if (found.st_nlink > 1) return "remove " + shell_word(path) + ", a hard link";
  return give_command(path);
}

}  // namespace detail

// [any] Judges with the rights of the calling thread's effective user alone, whatever capability is permitted, what a
// file sink does at `path` in the course of time: make the file there, rename and remove it, make it again. Nothing:
// all of that will work. Changes nothing. Code::refused: what will not, and the command that mends it;
// Code::not_found: there is no such folder.
//
// The host asks it for each option whose schema says x-output, for `check` and at the start, as the user that it is to
// become.
inline std::optional<Error> output_trouble(const std::string& path) {
  OutputPlace place;
  detail::OutputWalk walk(Rights::own);
  const Opening failed = walk.find(path, place);
  if (failed.error == ENOENT || failed.error == ENOTDIR) {
    const std::string folder = folder_of(path);
    std::error_code ignored;
    const std::string absolute = std::filesystem::absolute(folder, ignored).string();
    return Error{Code::not_found,
                 "there is no folder " + folder + "; " +
                     (walk.users_link().empty() ? make_folder_command(absolute) : remove_link(walk.users_link()))};
  }
  if (failed.error != 0) return cannot_open(path, failed);
  const auto wont = [](const std::string& what, const std::string& mend) {
    return Error{Code::refused, "user " + user_name() + " cannot " + what + "; " + mend};
  };
  struct stat found {};
  const int looked = place.stat_entry(found);
  const bool is_there = looked == 0;
  if (is_there && place.by_proc) return std::nullopt;
  if (looked == ENOENT && place.by_link) return cannot_open(path, detail::refused(place.dangling()));
  if (is_there) {
    if (std::string why = place.folder.refusal_of(place.name, found); !why.empty()) {
      return cannot_open(path, detail::refused(std::move(why)));
    }
    if (faccessat(AT_FDCWD, place.path().c_str(), W_OK, AT_EACCESS) != 0 && errno == EACCES) {
      return wont("write to " + place.path(), detail::mend_file(place, found));
    }
    if (!S_ISREG(found.st_mode)) return std::nullopt;  // a FIFO or a device stays as it is
  }
  const int cannot_change = place.folder.cannot_change();
  if (cannot_change == EACCES) {
    return wont("make files in " + place.folder.path() +
                    ": the file there is not rotated, and is not made again when it was moved or removed",
                mend_folder(place.folder));
  }
  if (cannot_change == 0 && is_there && place.folder.keeps(found)) {
    return wont("rename " + place.path() + ", whose folder is sticky: the file is not rotated",
                detail::mend_file(place, found));
  }
  return std::nullopt;
}

}  // namespace nfbus::util
