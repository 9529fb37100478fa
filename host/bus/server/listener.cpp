#include "bus/server/listener.hpp"

#include "support/log.hpp"
#include "support/system_error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace nfbus::host {

namespace {

constexpr mode_t kMode = 0660;
constexpr mode_t kFolderMode = 0755;
constexpr std::chrono::milliseconds kLockDeadline{1000};
constexpr std::chrono::milliseconds kLockLook{10};

Error failed(const std::string& what, const std::string& path) {
  const Code code = errno == EACCES || errno == EPERM || errno == EROFS ? Code::refused : Code::io;
  return system_error(what + " " + path, errno, code);
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{.code = Code::invalid, .text = fmt::format("{}: too long for a socket", path)};
  }
  std::memcpy(&address.sun_path, path.data(), path.size());
  return address;
}

Result<void> make_folder(const std::string& folder, const SocketOwner& owner) {
  if (::mkdir(folder.c_str(), kFolderMode) != 0) {
    if (errno == EEXIST) return {};
    return failed("cannot make the folder", folder);
  }
  // So that it can remove the socket when it ends.
  [[maybe_unused]] const int given = ::lchown(folder.c_str(), owner.user, owner.user_group);
  return {};
}

// Held while the file is looked at and replaced, so that of two hosts that start at once one finds the other. Files may
// not be left beside the socket, so the folder itself is locked. That takes a moment; whoever may read the folder could
// hold its lock for ever, and is not waited for.
Result<Descriptor> lock_folder(const std::string& folder) {
  Descriptor locked(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!locked.valid()) return failed("cannot open the folder", folder);
  const auto deadline = std::chrono::steady_clock::now() + kLockDeadline;
  while (::flock(locked.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("cannot lock the folder", folder);
    if (std::chrono::steady_clock::now() >= deadline) {
      log::warning(fmt::format("{} is locked by another program: the socket is made without that lock", folder));
      break;
    }
    std::this_thread::sleep_for(kLockLook);
  }
  return locked;
}

// Removes what a dead host left behind.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return failed("cannot look at", path);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{.code = Code::invalid, .text = fmt::format("{} exists and is no socket: name another one", path)};
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return failed("cannot make a socket for", path);
  // A full queue of a live host answers EAGAIN.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    ucred peer{};
    socklen_t size = sizeof peer;
    ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
    return Error{.code = Code::busy,
                 .text = fmt::format("{} is served by a running program (process {}): end that one first, or name "
                                     "another socket",
                                     path, peer.pid)};
  }
  if (errno != ECONNREFUSED && errno != ENOENT) return failed("cannot tell who serves", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("cannot replace", path);
  return {};
}

// By what it is, not by its name: the folder may be somebody else's, who could put another file there.
Result<struct stat> give_away(const std::string& path, const SocketOwner& owner) {
  const Descriptor made(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (!made.valid() || ::fstat(made.get(), &found) != 0) return failed("cannot look at", path);
  if (!S_ISSOCK(found.st_mode) || found.st_nlink != 1 || found.st_uid != ::geteuid()) {
    return Error{.code = Code::busy, .text = fmt::format("{}: somebody replaced it at that moment", path)};
  }
  // Nobody can connect before listen(). chmod() takes no O_PATH descriptor, but what stands for it in /proc.
  if ((found.st_mode & 0777U) != kMode && ::chmod(fmt::format("/proc/self/fd/{}", made.get()).c_str(), kMode) != 0) {
    return failed("cannot change the mode of", path);
  }
  [[maybe_unused]] const int given = ::fchownat(made.get(), "", owner.user, owner.user_group, AT_EMPTY_PATH);
  if (::fchownat(made.get(), "", static_cast<uid_t>(-1), owner.group, AT_EMPTY_PATH) != 0) {
    return failed("cannot change the group of", path);
  }
  return found;
}

}  // namespace

Result<Listener> Listener::open(const std::string& path, const SocketOwner& owner) {
  const auto address = address_of(path);
  if (!address) return address.error();
  const std::filesystem::path above = std::filesystem::path(path).parent_path();
  const std::string folder = above.empty() ? "./" : above.string();
  if (auto made = make_folder(folder, owner); !made) return made.error();
  const auto locked = lock_folder(folder);
  if (!locked) return locked.error();
  if (auto removed = remove_stale(path, *address); !removed) return removed.error();

  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return failed("cannot make a socket for", path);
  // The file gets the socket's mode, less the umask, which belongs to all threads and is left as it is.
  if (::fchmod(socket.get(), kMode) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failed("cannot make the socket", path);
  }
  const auto made = give_away(path, owner);
  if (!made) {
    ::unlink(path.c_str());
    return made.error();
  }
  Listener listener(std::move(socket), path, owner, made->st_dev, made->st_ino);
  if (::listen(listener.descriptor(), SOMAXCONN) != 0) return failed("cannot listen at", path);
  return listener;
}

bool Listener::is_in_place() const noexcept {
  struct stat found {};
  return ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
}

Listener::~Listener() {
  if (!socket_.valid() || !is_in_place()) return;
  if (::unlink(path_.c_str()) != 0) log::warning(failed("cannot remove the socket", path_).text);
}

}  // namespace nfbus::host
