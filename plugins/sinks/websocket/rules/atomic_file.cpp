#include "atomic_file.hpp"

#include <nfbus/util/output_lock.hpp>
#include <nfbus/util/output_place.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace rules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nfbus::util::Descriptor;
using nfbus::util::OutputPlace;

FileVersion version_of(const struct stat& found) noexcept {
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  return {.changed_ns = found.st_mtim.tv_sec * kSecondNs + found.st_mtim.tv_nsec,
          .status_ns = found.st_ctim.tv_sec * kSecondNs + found.st_ctim.tv_nsec,
          .size_bytes = static_cast<std::uint64_t>(found.st_size),
          .inode = found.st_ino};
}

Error failed(const std::string& what, const std::string& path, int error) {
  return {error == EACCES || error == EPERM || error == EROFS ? Code::refused : Code::io,
          "cannot " + what + ' ' + path + ": " + nfbus::util::reason(error) + "; let uid " + std::to_string(geteuid()) +
              " write to its folder"};
}

// errno; 0: done.
int write_all(const Descriptor& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file.get()) == 0 ? 0 : errno;
}

// As far as we may: another owner can be kept by root alone.
void keep_rights(const Descriptor& file, const struct stat& like) {
  if (::fchown(file.get(), like.st_uid, like.st_gid) != 0) {
    (void)::fchown(file.get(), static_cast<uid_t>(-1), like.st_gid);
  }
  (void)::fchmod(file.get(), like.st_mode & 0777U);
}

Descriptor open_folder(const OutputPlace& place) {
  return Descriptor(::open(place.folder.real_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void sync_folder(const OutputPlace& place) {
  const Descriptor folder = open_folder(place);
  if (folder.valid()) (void)::fsync(folder.get());
}

// Of the file beside it that is to take its place: no two writers have the same.
std::string name_beside(const OutputPlace& place) {
  static std::atomic<std::uint64_t> count{0};
  return place.name + '.' + std::to_string(::getpid()) + '-' + std::to_string(++count) + ".new";
}

// One that a killed writer left there is replaced.
Result<Descriptor> make_beside(const OutputPlace& place, const std::string& name) {
  auto made = place.folder.make(name, O_WRONLY);
  if (made.error == EEXIST) {
    (void)place.folder.remove(name);
    made = place.folder.make(name, O_WRONLY);
  }
  if (!made.fd.valid()) return failed("make", place.folder.path_of(name), made.error);
  return std::move(made.fd);
}

Result<FileVersion> replace_at(const OutputPlace& place, std::string_view text,
                               const std::optional<std::optional<FileVersion>>& over) {
  if (place.by_proc) return Error{Code::refused, place.path() + " is an open file of a process; name a file"};
  struct stat before {};
  const bool is_there = place.stat_entry(before) == 0;
  if (is_there && !S_ISREG(before.st_mode)) return Error{Code::invalid, place.path() + " is no regular file"};
  const std::string name = name_beside(place);
  Result<Descriptor> made = make_beside(place, name);
  if (!made) return made.error();
  const auto give_up = [&](Error error) {
    (void)place.folder.remove(name);
    return error;
  };
  if (is_there) keep_rights(*made, before);
  if (const int error = write_all(*made, text); error != 0) return give_up(failed("write", place.path(), error));
  struct stat now {};
  if (over) {
    const int error = place.stat_entry(now);
    const std::optional<FileVersion> version = error == 0 ? std::optional(version_of(now)) : std::nullopt;
    if (version != *over) return give_up({Code::busy, place.path() + " was changed by somebody else at that moment"});
  }
  if (::fstat(made->get(), &now) != 0) return give_up(failed("write", place.path(), errno));
  if (const int error = place.folder.rename(name, place.name); error != 0) {
    return give_up(failed("replace", place.path(), error));
  }
  sync_folder(place);
  // The renaming itself changes its status. Who wrote to it since has made another version of it.
  const FileVersion written = version_of(now);
  if (::fstat(made->get(), &now) != 0) return written;
  const FileVersion renamed = version_of(now);
  const bool is_ours = renamed.changed_ns == written.changed_ns && renamed.size_bytes == written.size_bytes;
  return is_ours ? renamed : written;
}

}  // namespace

std::optional<FileVersion> look_at(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return version_of(found);
}

Result<FileText> read_whole(const std::string& path, std::size_t most_bytes) {
  Result<OutputPlace> place = nfbus::util::find_output(path, nfbus::util::Rights::own);
  if (!place) return place.error();
  nfbus::util::Opening opened = place->open(O_RDONLY);
  if (opened.error == ENOENT) return Error{Code::not_found, path + " is not there"};
  if (!opened.fd.valid()) return nfbus::util::cannot_open(path, opened);
  struct stat found {};
  if (::fstat(opened.fd.get(), &found) != 0) return failed("read", path, errno);
  if (!S_ISREG(found.st_mode)) return Error{Code::invalid, path + " is no regular file"};
  FileText out{.version = version_of(found)};
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t size = ::read(opened.fd.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("read", path, errno);
    if (size == 0) return out;
    out.text.append(buffer.data(), static_cast<std::size_t>(size));
    if (out.text.size() > most_bytes) {
      return Error{Code::invalid, path + " is longer than " + std::to_string(most_bytes >> 20U) + " MiB"};
    }
  }
}

Result<FileVersion> replace_whole(const std::string& path, std::string_view text,
                                  const std::optional<FileVersion>& over) {
  const Result<OutputPlace> place = nfbus::util::find_output(path, nfbus::util::Rights::own);
  if (!place) return place.error();
  return replace_at(*place, text, std::optional(over));
}

Result<void> replace_whole(const std::string& path, std::string_view text) {
  const Result<OutputPlace> place = nfbus::util::find_output(path, nfbus::util::Rights::own);
  if (!place) return place.error();
  const Result<FileVersion> replaced = replace_at(*place, text, std::nullopt);
  if (!replaced) return replaced.error();
  return {};
}

Result<Descriptor> lock_beside(const std::string& path) {
  constexpr int kMostAttempts = 250;
  constexpr std::chrono::milliseconds kPause{2};
  const Result<OutputPlace> place = nfbus::util::find_output(path, nfbus::util::Rights::own);
  if (!place) return Descriptor();
  Descriptor folder = open_folder(*place);
  for (int attempt = 1; folder.valid() && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Descriptor();
    if (attempt == kMostAttempts) {
      return Error{Code::busy, "another program holds a lock of the folder of " + path + "; try again"};
    }
    std::this_thread::sleep_for(kPause);
  }
  return folder;
}

Result<Descriptor> claim(const std::string& path) {
  const Result<OutputPlace> place = nfbus::util::find_output(path + ".lock", nfbus::util::Rights::own);
  if (!place) return Descriptor();
  nfbus::util::Opening opened = place->open_or_make(O_RDWR);
  if (!opened.fd.valid() || nfbus::util::hold(opened.fd.get())) return std::move(opened.fd);
  return Error{Code::busy, nfbus::util::holder_of(opened.fd.get()) + " writes to " + path +
                               ", too, and each would undo what the other one wrote; give each sink a file of its own"};
}

bool set_aside(const std::string& path) {
  const Result<OutputPlace> place = nfbus::util::find_output(path, nfbus::util::Rights::own);
  return place.ok() && !place->by_proc && place->folder.rename(place->name, place->name + ".broken") == 0;
}

}  // namespace rules
