#include "plugins/trust.hpp"

#include <nfbus/util/dac_override.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

constexpr char kFile[] = "it";                           // a refused file is named before the text
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;  // an ACL that lets somebody write shows in the group's bit

Error refuse(std::string text) { return Error{.code = Code::refused, .text = std::move(text)}; }

Error failed(std::string_view doing, const std::string& path, int error_number) {
  const Code code = error_number == ENOENT ? Code::not_found : Code::io;
  return Error{.code = code,
               .text = fmt::format("cannot {} {}: {}", doing, path, std::generic_category().message(error_number))};
}

Error refuse_link(int folder, const std::string& name, const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlinkat(folder, name.c_str(), target.data(), target.size());
  target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return refuse(fmt::format("{} is a symbolic link to {}: use the real file or folder instead", path, target));
}

// The owner and mode rule. sticky_will_do: a folder above the plugin folder.
Result<void> check_owner_and_mode(const struct stat& status, const std::string& path, bool sticky_will_do,
                                  const util::DacOverride& as_root) {
  const uid_t user = ::geteuid();
  // The user may have made it since all_owned_by_root() looked.
  if (as_root.raised() && status.st_uid != 0) {
    return refuse(
        fmt::format("{} belongs to uid {}, not to root, whose rights nfbus still has: chown it", path, status.st_uid));
  }
  if (status.st_uid != 0 && status.st_uid != user) {
    return refuse(
        fmt::format("{} belongs to uid {}, neither to root nor to the user that runs nfbus (uid {}): chown it", path,
                    status.st_uid, user));
  }
  if ((status.st_mode & kWritableByOthers) == 0) return {};
  if (sticky_will_do && status.st_uid == 0 && (status.st_mode & S_ISVTX) != 0) return {};
  return refuse(fmt::format("{} is writable by others than its owner (mode {:04o}): chmod go-w it", path,
                            status.st_mode & 07777U));
}

FileVersion version_of(const struct stat& status) noexcept {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size_bytes = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Trusted trusted(Descriptor descriptor, const struct stat& status) {
  return Trusted{.descriptor = std::move(descriptor), .version = version_of(status)};
}

// Opens one step of the way. O_PATH: a folder above need not be readable, only passable.
Result<Trusted> step_into(int above, const std::string& name, const std::string& path, bool last,
                          const util::DacOverride& as_root) {
  Descriptor here(::openat(above, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!here.valid() || ::fstat(here.get(), &status) != 0) return failed("open", path, errno);
  if (S_ISLNK(status.st_mode)) return refuse_link(above, name, path);
  if (!S_ISDIR(status.st_mode)) return refuse(path + " is not a folder");
  if (auto checked = check_owner_and_mode(status, path, !last, as_root); !checked) return checked.error();
  return trusted(std::move(here), status);
}

Result<Trusted> open_file(const Trusted& folder, const std::string& name) {
  const util::DacOverride as_root;
  // O_NONBLOCK: a FIFO must not hold up the start; it has no effect on a regular file.
  Descriptor file(::openat(folder.descriptor.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ELOOP) return refuse_link(folder.descriptor.get(), name, kFile);
    return failed("open", kFile, errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return failed("open", kFile, errno);
  if (!S_ISREG(status.st_mode)) return refuse("it is not a regular file");
  if (auto checked = check_owner_and_mode(status, kFile, false, as_root); !checked) return checked.error();
  return trusted(std::move(file), status);
}

}  // namespace

std::optional<FileVersion> version_of(int descriptor) noexcept {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return std::nullopt;
  return version_of(status);
}

bool all_owned_by_root(const std::vector<fs::path>& folders) {
  const auto is_roots = [](const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) != 0 || status.st_uid == 0;
  };
  for (const fs::path& folder : folders) {
    std::error_code error;
    fs::path walked;
    for (const fs::path& part : fs::absolute(folder, error).lexically_normal()) {
      walked /= part;
      if (!is_roots(walked)) return false;
    }
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->path().extension() == ".so" && !is_roots(entry->path())) return false;
    }
  }
  return true;
}

Result<Trusted> open_trusted_folder(const fs::path& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error).lexically_normal();
  if (error) return failed("find", folder.string(), error.value());
  if (!path.has_filename()) path = path.parent_path();  // a trailing slash

  const util::DacOverride as_root;
  fs::path walked = path.root_path();
  const fs::path below = path.relative_path();
  Result<Trusted> here = step_into(AT_FDCWD, walked.string(), walked.string(), below.empty(), as_root);
  for (auto part = below.begin(); here && part != below.end(); ++part) {
    walked /= *part;
    here = step_into(here->descriptor.get(), part->string(), walked.string(), std::next(part) == below.end(), as_root);
  }
  return here;
}

Result<Trusted> open_trusted_file(const Trusted& folder, const std::string& name) {
  auto opened = open_file(folder, name);
  if (!opened) return opened;
  // The loader opens it once more, and without root's rights: code runs in there.
  const std::string same = fmt::format("/proc/self/fd/{}", opened->descriptor.get());
  const Descriptor again(::open(same.c_str(), O_RDONLY | O_CLOEXEC));
  if (again.valid() || errno != EACCES) return opened;
  return refuse(
      fmt::format("{} may not be read by the user that runs nfbus (uid {}): chmod a+r it", kFile, ::geteuid()));
}

}  // namespace nfbus::host
