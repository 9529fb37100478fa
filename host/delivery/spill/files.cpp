#include "delivery/spill/files.hpp"

#include "support/descriptor.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

namespace nfbus::host::spill {

namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

int fail_with(int number) {
  errno = number;
  return -1;
}

// Makes what is missing of the path; what was made is on the disk when its own folder is.
int make_folders(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kFolderMode) == 0) {
      const std::size_t slash = part.find_last_of('/');
      const std::string above = slash == std::string::npos ? "." : slash == 0 ? "/" : part.substr(0, slash);
      const Descriptor folder(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (folder.valid()) ::fsync(folder.get());  // some file systems have none for folders
    } else if (errno != EEXIST) {
      return -1;
    }
    if (end == std::string::npos) return 0;
  }
}

int flags_of(Open how) {
  constexpr int kAlways = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;  // a pipe under the name must not hold us
  switch (how) {
    case Open::make: return O_RDWR | O_CREAT | O_EXCL | kAlways;
    case Open::take: return O_RDWR | O_CREAT | kAlways;
    case Open::change: return O_RDWR | kAlways;
    case Open::look: return O_RDONLY | kAlways;
  }
  return O_RDONLY | kAlways;
}

}  // namespace

int RealFiles::open_folder(const std::string& path, bool make) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();  // O_NOFOLLOW looks at the last part alone
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Descriptor folder(::open(trimmed.c_str(), kFlags));
  if (!folder.valid() && errno == ENOENT && make) {
    if (make_folders(trimmed) != 0) return -1;
    folder = Descriptor(::open(trimmed.c_str(), kFlags));
  }
  if (!folder.valid() || !make) return folder.release();
  struct stat info {};
  if (::fstat(folder.get(), &info) != 0) return -1;
  return info.st_uid == ::geteuid() ? folder.release() : fail_with(EPERM);
}

int RealFiles::open(int folder, const std::string& name, Open how) {
  Descriptor file(::openat(folder, name.c_str(), flags_of(how), kFileMode));
  if (!file.valid()) return -1;
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return -1;
  if (!S_ISREG(info.st_mode)) return fail_with(EINVAL);
  if (info.st_nlink > 1) return fail_with(EMLINK);
  if (how != Open::look && info.st_uid != ::geteuid()) return fail_with(EPERM);
  return file.release();
}

void RealFiles::close(int file) { ::close(file); }
int RealFiles::lock(int file) { return ::flock(file, LOCK_EX | LOCK_NB); }

void RealFiles::unlock(int file) { ::flock(file, LOCK_UN); }

int RealFiles::status(int file, Status& out) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return -1;
  out = {.bytes = static_cast<std::uint64_t>(info.st_size),
         .changed_ns = info.st_mtim.tv_sec * kNsPerSecond + info.st_mtim.tv_nsec};
  return 0;
}

ssize_t RealFiles::pread(int file, void* to, std::size_t size, std::uint64_t offset) {
  return ::pread(file, to, size, static_cast<off_t>(offset));
}
ssize_t RealFiles::pwrite(int file, const void* from, std::size_t size, std::uint64_t offset) {
  return ::pwrite(file, from, size, static_cast<off_t>(offset));
}
int RealFiles::truncate(int file, std::uint64_t size) { return ::ftruncate(file, static_cast<off_t>(size)); }
int RealFiles::fdatasync(int file) { return ::fdatasync(file); }

int RealFiles::fsync_folder(int folder) {
  // Some file systems have none for folders, and need none.
  return ::fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1;
}

int RealFiles::rename(int folder, const std::string& from, const std::string& to) {
  return ::renameat(folder, from.c_str(), folder, to.c_str());
}
int RealFiles::unlink(int folder, const std::string& name) { return ::unlinkat(folder, name.c_str(), 0); }

int RealFiles::list(int folder, std::vector<std::string>& names) {
  names.clear();
  Descriptor again(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again.valid()) return -1;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(again.get()), ::closedir);
  if (!entries) return -1;
  static_cast<void>(again.release());  // closedir() closes it
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(entries.get());  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (entry == nullptr) return errno == 0 ? 0 : -1;
    names.emplace_back(static_cast<const char*>(entry->d_name));
  }
}

int RealFiles::free_bytes(int folder, std::uint64_t& bytes) {
  struct statvfs info {};
  if (::fstatvfs(folder, &info) != 0) return -1;
  bytes = std::uint64_t{info.f_bavail} * info.f_frsize;
  return 0;
}

ssize_t read_all(Files& files, int file, void* to, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = files.pread(file, static_cast<std::uint8_t*>(to) + done, size - done, offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

int write_all(Files& files, int file, const void* from, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t put = files.pwrite(file, static_cast<const std::uint8_t*>(from) + done, size - done, offset + done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return -1;
    if (put == 0) return fail_with(ENOSPC);  // pwrite() has no other reason to write nothing
    done += static_cast<std::size_t>(put);
  }
  return 0;
}

}  // namespace nfbus::host::spill
