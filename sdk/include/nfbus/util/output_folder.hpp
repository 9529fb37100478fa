// The folder that an output lies in, and what is done there: opening, making, renaming, removing. Whatever stands at a
// path, no link, hard link or exchanged folder of somebody else leads to a file that he could not have opened himself.
//
// output_place.hpp finds one. All that is done in a folder is done in the one that was found, with the rights of the
// effective user. While the host starts as root and is to become another user, one thing more is allowed: to make a
// file, or to open one that already belongs to that user, in a folder that root alone can change.
#pragma once

#include <nfbus/util/dac_override.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/who_may_write.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::util {

// Whose rights count.
enum class Rights : std::uint8_t {
  own = 1,   // the effective user's
  starting,  // and the right to make and open files that the host has while it starts
};

// Tells what came of opening something.
struct Opening {
  Descriptor fd;
  int error = 0;        // errno, when there is no descriptor
  std::string refusal;  // where a rule of ours forbids it: what stands there, and the fix; error is EPERM then
};

namespace detail {

class OutputWalk;

inline bool is_ours(uid_t uid) noexcept { return uid == 0 || uid == geteuid(); }

inline std::string owner_of(const struct stat& found) { return "uid " + std::to_string(found.st_uid); }

inline Opening refused(std::string why) { return {.fd = {}, .error = EPERM, .refusal = std::move(why)}; }
inline Opening failed(int error) { return {.fd = {}, .error = error, .refusal = {}}; }

}  // namespace detail

inline bool same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Holds the folder open, as its copies do; a default one is none. Thread safety: as a const object; all are [any]. A
// name has no slash in it.
class OutputFolder {
 public:
  // As it was walked to, for the user; a link's target where one was followed.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string path_of(const std::string& name) const {
    return path_ == "/" ? path_ + name : path_ + '/' + name;
  }

  // Returns where it is now, from the root on and without links, for a command that the user is to give.
  [[nodiscard]] std::string real_path() const {
    const std::string link = "/proc/self/fd/" + std::to_string(at());
    std::string target(PATH_MAX, '\0');
    const ssize_t size = readlink(link.c_str(), target.data(), target.size());
    return size > 0 ? target.substr(0, static_cast<std::size_t>(size)) : path_;
  }
  // The first link on the way here that is not root's; empty: there was none.
  [[nodiscard]] const std::string& users_link() const noexcept { return users_link_; }

  // Reads what stands there; of a link itself. errno; 0: found.
  [[nodiscard]] int stat_entry(const std::string& name, struct stat& found) const noexcept {
    if (fstatat(at(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0) return 0;
    if (errno != EACCES || !lends_rights()) return errno;
    const DacOverride override;
    return fstatat(at(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
  }

  // Why what stands there must not be opened; empty: it may be.
  [[nodiscard]] std::string refusal_of(const std::string& name, const struct stat& found) const {
    if (S_ISLNK(found.st_mode)) return path_of(name) + " is a link: remove it";
    if (S_ISDIR(found.st_mode) || !others_may_change()) return {};
    const std::string others = "and others than root and uid " + std::to_string(geteuid()) + " may change its folder " +
                               path_ + ": remove it, or name a file in a folder that nobody else may write to";
    if (found.st_nlink > 1) {
      return path_of(name) + " is a hard link, one of " + std::to_string(found.st_nlink) + " names of a file, " +
             others;
    }
    // As the kernel's protected_regular and protected_fifos, also where the folder is not sticky: whoever made it first
    // would read all that is written.
    if (!detail::is_ours(found.st_uid) && found.st_uid != status_.st_uid) {
      return path_of(name) + " belongs to " + detail::owner_of(found) + ", " + others;
    }
    return {};
  }

  // Opens what is there, other than a link. flags: O_WRONLY, O_APPEND, ...; it never blocks, creates or truncates.
  [[nodiscard]] Opening open(const std::string& name, int flags) const {
    Opening out = open_at(name, flags | O_NOFOLLOW);
    struct stat found {};
    if (out.error == ELOOP && stat_entry(name, found) == 0) return detail::refused(refusal_of(name, found));
    if (!out.fd.valid() || fstat(out.fd.get(), &found) != 0) return out;
    if (std::string why = refusal_of(name, found); !why.empty()) return detail::refused(std::move(why));
    return out;
  }

  // Makes an empty file, mode 0640, where nothing stands, and opens it. EEXIST: something does, were it a link.
  [[nodiscard]] Opening make(const std::string& name, int flags) const {
    const int all = flags | O_CREAT | O_EXCL | O_NOFOLLOW | kAlways;
    int fd = openat(at(), name.c_str(), all, 0640);
    if (fd < 0 && errno == EACCES && lends_rights()) {
      const DacOverride override;
      if (override.raised()) fd = openat(at(), name.c_str(), all, 0640);
    }
    return {.fd = Descriptor(fd), .error = fd < 0 ? errno : 0, .refusal = {}};
  }

  // Each: errno; 0: done. EEXIST as of make().
  [[nodiscard]] int make_folder(const std::string& name, mode_t mode) const noexcept {
    if (mkdirat(at(), name.c_str(), mode) == 0) return 0;
    if (errno != EACCES || !lends_rights()) return errno;
    const DacOverride override;
    return mkdirat(at(), name.c_str(), mode) == 0 ? 0 : errno;
  }
  [[nodiscard]] int make_fifo(const std::string& name, mode_t mode) const noexcept {
    if (mkfifoat(at(), name.c_str(), mode) == 0) return 0;
    if (errno != EACCES || !lends_rights()) return errno;
    const DacOverride override;
    return mkfifoat(at(), name.c_str(), mode) == 0 ? 0 : errno;
  }
  [[nodiscard]] int remove(const std::string& name) const noexcept {
    return unlinkat(at(), name.c_str(), 0) == 0 ? 0 : errno;
  }
  // Gives the FIFO that we made there the permissions of `like`, and its owner and group as far as we may. EEXIST: by
  // now something else is there, which is left as it is.
  [[nodiscard]] int give_fifo_away(const std::string& name, const struct stat& like) const {
    const Descriptor fd(openat(at(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat made {};
    if (!fd.valid() || fstat(fd.get(), &made) != 0) return errno;
    if (!S_ISFIFO(made.st_mode) || made.st_uid != geteuid() || made.st_nlink != 1) return EEXIST;
    // Another owner than us can be kept by root alone.
    if (fchownat(fd.get(), "", like.st_uid, like.st_gid, AT_EMPTY_PATH) != 0) {
      (void)fchownat(fd.get(), "", static_cast<uid_t>(-1), like.st_gid, AT_EMPTY_PATH);
    }
    const std::string same = "/proc/self/fd/" + std::to_string(fd.get());
    return chmod(same.c_str(), like.st_mode & 0777U) == 0 ? 0 : errno;
  }
  // Replaces what is there.
  [[nodiscard]] int rename(const std::string& from, const std::string& to) const noexcept {
    return renameat(at(), from.c_str(), at(), to.c_str()) == 0 ? 0 : errno;
  }
  // Replaces nothing: EEXIST.
  [[nodiscard]] int rename_to_new(const std::string& from, const std::string& to) const noexcept {
    if (renameat2(at(), from.c_str(), at(), to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    int error = errno;
    // A file system without that flag, such as NFS.
    if (error == EINVAL || error == ENOSYS) {
      error = linkat(at(), from.c_str(), at(), to.c_str(), 0) == 0 ? 0 : errno;
    }
    struct stat first {};
    struct stat second {};
    if (error == EEXIST && stat_entry(from, first) == 0 && stat_entry(to, second) == 0 && same_file(first, second)) {
      error = 0;  // linked by a call that came no further
    }
    return error != 0 ? error : remove(from);
  }

  // The names in it. errno; 0: done.
  [[nodiscard]] int list(std::vector<std::string>& names) const {
    const int fd = openat(at(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    struct Close {
      void operator()(DIR* folder) const noexcept { closedir(folder); }
    };
    const std::unique_ptr<DIR, Close> folder(fdopendir(fd));
    if (!folder) {
      const int error = errno;
      ::close(fd);
      return error;
    }
    while (const dirent* entry = readdir(folder.get())) names.emplace_back(static_cast<const char*>(entry->d_name));
    return 0;
  }

  // errno of why the effective user cannot make, rename and remove files in it, by its own rights; 0: it can.
  [[nodiscard]] int cannot_change() const noexcept {
    if (faccessat(at(), ".", W_OK | X_OK, AT_EACCESS) == 0) return 0;
    return errno;
  }
  // Returns whether it is sticky: the effective user can change it, but not rename or remove that file in it.
  [[nodiscard]] bool keeps(const struct stat& found) const noexcept {
    const struct stat folder = status();
    return (folder.st_mode & S_ISVTX) != 0 && geteuid() != 0 && found.st_uid != geteuid() && folder.st_uid != geteuid();
  }
  // Of the folder, now.
  [[nodiscard]] struct stat status() const noexcept {
    struct stat found {};
    return fstat(at(), &found) == 0 ? found : status_;
  }

 private:
  friend class detail::OutputWalk;

  static constexpr int kAlways = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

  // Nobody but root can make, move or remove what is in it, or put another folder in its place; so its rights may be
  // used in it.
  [[nodiscard]] bool lends_rights() const noexcept {
    return rights_ == Rights::starting && roots_above_ && status_.st_uid == 0 && !open_to_other_than_root_;
  }
  [[nodiscard]] bool others_may_change() const noexcept { return others_above_ || !is_ours_ || open_to_others_; }
  // In a folder that others may write to, one whom this namespace of users does not have may be anybody.
  [[nodiscard]] bool is_ours_in_here(const struct stat& entry) const {
    return detail::is_ours(entry.st_uid) || (!open_to_others_ && is_unmapped_user(entry.st_uid));
  }

  [[nodiscard]] Opening open_at(const std::string& name, int flags) const {
    int fd = openat(at(), name.c_str(), flags | kAlways);
    if (fd >= 0) return {.fd = Descriptor(fd), .error = 0, .refusal = {}};
    if (errno != EACCES || !lends_rights()) return detail::failed(errno);
    return open_own_file(name, flags);
  }

  // Where the folder alone is in the way: a file of the effective user, which has no other name.
  [[nodiscard]] Opening open_own_file(const std::string& name, int flags) const {
    int fd = -1;
    struct stat found {};
    {
      const DacOverride override;
      if (!override.raised()) return detail::failed(EACCES);
      if (const int error = stat_entry(name, found); error != 0) return detail::failed(error);
      if (!is_own_file(found)) return detail::failed(EACCES);
      fd = openat(at(), name.c_str(), flags | kAlways);
      if (fd < 0) return detail::failed(errno);
    }
    Descriptor out(fd);
    if (fstat(fd, &found) != 0 || !is_own_file(found)) return detail::failed(EACCES);
    return {.fd = std::move(out), .error = 0, .refusal = {}};
  }
  static bool is_own_file(const struct stat& found) noexcept {
    return S_ISREG(found.st_mode) && found.st_uid == geteuid() && found.st_nlink == 1;
  }

  [[nodiscard]] int at() const noexcept { return fd_ ? fd_->get() : -1; }

  std::shared_ptr<const Descriptor> fd_;
  struct stat status_ {};
  std::string path_;
  std::string users_link_;
  Rights rights_ = Rights::own;
  bool is_ours_ = false;                  // it belongs to root or the effective user
  bool open_to_others_ = false;           // than these two
  bool open_to_other_than_root_ = false;  // the effective user, too
  bool roots_above_ = false;              // each folder and link on the way here is safe from all but root
  bool others_above_ = false;             // somebody else can exchange a folder on the way here
};

}  // namespace nfbus::util
