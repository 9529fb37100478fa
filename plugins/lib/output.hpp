// What sinks that write to paths share. Header-only, and of the standard library and nfbus/... alone, so that a plugin
// that uses it is still a plugin like any other.
#pragma once

#include <nfbus/result.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

namespace output {

// An open file descriptor, closed by its destructor. Thread safety: none.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  // Takes what open() and its like return: a negative number is no descriptor.
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] bool valid() const noexcept { return number_ >= 0; }
  void close() noexcept {
    if (valid()) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

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

inline std::string reason(int error) { return std::generic_category().message(error); }

inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

inline bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Whether the path leads to another file than the open one by now, or nowhere.
inline bool leads_elsewhere(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  if (fstat(fd, &opened) != 0) return true;
  // A path that cannot be looked at now (EACCES) says nothing of the file.
  const bool found = stat(path.c_str(), &named) == 0;
  return found ? !same_file(opened, named) : errno == ENOENT || errno == ENOTDIR;
}

// Why a path cannot be opened, with the fix where there is one.
inline nfbus::Error cannot_open(const std::string& path, int error) {
  const std::string text = "cannot open " + path + ": ";
  switch (error) {
    case ENOENT:
    case ENOTDIR: return {nfbus::Code::not_found, text + "there is no such folder; create " + folder_of(path)};
    case EISDIR: return {nfbus::Code::invalid, text + "it is a folder; name a file in it"};
    case EACCES:
    case EPERM:
      return {nfbus::Code::refused, text + reason(error) + "; let uid " + std::to_string(geteuid()) +
                                        " read and write it and its folder " + folder_of(path)};
    case EROFS: return {nfbus::Code::refused, text + reason(error) + "; name a file elsewhere"};
    default: return {nfbus::Code::io, text + reason(error)};
  }
}

}  // namespace output
