// What sinks that write to paths share beyond nfbus/util/. Header-only, and of the standard library and nfbus/...
// alone, so that a plugin that uses it is still a plugin like any other.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/output_access.hpp>
#include <nfbus/util/output_folder.hpp>
#include <nfbus/util/output_place.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <string>

namespace output {

// What was missing comes back at any time: a disk's room, a folder. It is asked after so often.
constexpr std::uint32_t kRetryMs = 500;

// Holds back the SIGPIPE that a write of this thread may raise, and swallows it, whatever the process does with it.
class NoSigpipe {
 public:
  NoSigpipe() noexcept {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() {
    if (raised_) {
      const timespec at_once{};
      sigtimedwait(&sigpipe_, nullptr, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  // A write answered EPIPE.
  void raised() noexcept { raised_ = true; }

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
  bool raised_ = false;
};

// Whether the path leads to another file than the open one by now, or nowhere.
inline bool leads_elsewhere(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  if (fstat(fd, &opened) != 0) return true;
  // A path that cannot be looked at now (EACCES) says nothing of the file.
  const bool found = stat(path.c_str(), &named) == 0;
  return found ? !nfbus::util::same_file(opened, named) : errno == ENOENT || errno == ENOTDIR;
}

// Why a file in the folder cannot be renamed, removed or made, with the fix where there is one.
inline nfbus::Error cannot_change(const std::string& what, const nfbus::util::OutputFolder& folder, int error) {
  const std::string text = "cannot " + what + ": " + nfbus::util::reason(error);
  switch (error) {
    case EACCES:
      return {nfbus::Code::refused, text + "; let uid " + std::to_string(geteuid()) +
                                        " write to its folder: " + nfbus::util::mend_folder(folder)};
    case EPERM:
      return {nfbus::Code::refused,
              text + "; let uid " + std::to_string(geteuid()) +
                  ((folder.status().st_mode & S_ISVTX) != 0 ? " own it, for its folder is sticky: "
                                                            : " write to its folder ") +
                  folder.path()};
    case ENOSPC:
    case EDQUOT: return {nfbus::Code::io, text + "; free some space, or inodes"};
    default: return {nfbus::Code::io, text};
  }
}

}  // namespace output
