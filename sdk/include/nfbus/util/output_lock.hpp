// The one writer of a file. Two that append to one file lose lines as soon as one of them rotates it.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace nfbus::util {

namespace detail {

// How /proc/locks names the file: 08:01:131072.
inline std::string place_in_locks(const struct stat& file) {
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%02x:%02x:%llu", major(file.st_dev), minor(file.st_dev),
                      static_cast<unsigned long long>(file.st_ino));
  return text.data();
}

// A byte that no file has, and that only a descriptor open for writing can lock against others: fcntl(2), "Open file
// description locks". A reader takes flock() as easily as a writer.
inline struct flock mark(short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = std::numeric_limits<off_t>::max() - 1;
  lock.l_len = 1;
  return lock;
}

}  // namespace detail

// [any] Names who holds the lock of the file, as /proc tells: "process 4711 (nfbus)" or "another sink of this host".
inline std::string holder_of(int fd, std::string unknown = "another sink or program") {
  struct stat file {};
  std::ifstream locks("/proc/locks");
  std::string line;
  if (fstat(fd, &file) != 0) return unknown;
  const std::string of_file = detail::place_in_locks(file);
  while (std::getline(locks, line)) {
    // 1: FLOCK  ADVISORY  WRITE 4711 08:01:131072 0 EOF
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string word;
    std::string place;
    std::string mode;
    pid_t pid = 0;
    if (!(words >> number >> kind >> word >> mode >> pid >> place) || kind != "FLOCK" || mode != "WRITE") continue;
    if (place != of_file || pid <= 0) continue;
    if (pid == getpid()) return "another sink of this host";
    std::string name = "?";
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> std::ws, name);
    return "process " + std::to_string(pid) + " (" + name + ')';
  }
  return unknown;
}

// Returns whether another writer holds the file.
inline bool is_held(int fd) noexcept {
  struct flock lock = detail::mark(F_RDLCK);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// Holds the file, open for writing, as its one writer until it is closed. False: another writer holds it. Where the
// file system has no locks, or a reader locked all of the file, it is written to all the same.
inline bool hold(int fd) noexcept {
  const struct flock lock = detail::mark(F_WRLCK);
  if (fcntl(fd, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES) && is_held(fd)) return false;
  (void)flock(fd, LOCK_EX | LOCK_NB);  // tells holder_of() who it is
  return true;
}

// One writer's claim to a path. Whoever has the file keeps it when it is renamed, if it locks the new one before it
// closes the old one: others wait for the file that they found held, and only then look at the path again. Thread
// safety: none; [any].
class OutputLock {
 public:
  // To be asked before the path is opened: whether another writer still has what take() found held.
  [[nodiscard]] std::optional<Error> waits(const std::string& path) {
    if (!awaited_.valid()) return std::nullopt;
    if (is_held(awaited_.get())) return held(path);
    awaited_.close();
    return std::nullopt;
  }

  // Locks the file, which was opened at the path, until it is closed. An error: `fd` is gone.
  Result<void> take(Descriptor& fd, const std::string& path) {
    if (hold(fd.get())) return {};
    std::swap(awaited_, fd);
    fd.close();
    holder_ = holder_of(awaited_.get(), holder_);
    return held(path);
  }

  // Names who held it last, for the user.
  [[nodiscard]] const std::string& holder() const noexcept { return holder_; }

 private:
  [[nodiscard]] Error held(const std::string& path) const {
    return {Code::busy, "cannot open " + path + ": " + holder_ + " writes to it; each sink needs a file of its own"};
  }

  Descriptor awaited_;  // that another one holds
  std::string holder_ = "another sink or program";
};

}  // namespace nfbus::util
