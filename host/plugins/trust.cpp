#include "plugins/trust.hpp"

#include "support/read_error.hpp"
#include "support/system_error.hpp"
#include "support/way.hpp"

#include <nfbus/util/commands.hpp>
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

const std::string kFile = "it";  // a refused file is named before the text

Error refuse(std::string text) { return Error{.code = Code::refused, .text = std::move(text)}; }

Error cannot_open(const std::string& name, int error_number) {
  return system_error("cannot open " + name, error_number, error_number == ENOENT ? Code::not_found : Code::io);
}

FileVersion version_of(const struct stat& status) noexcept {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size_bytes = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

// The first reason not to trust it.
Result<void> judge(const Way& way, std::string end, bool end_is_not_sticky) {
  if (way.has_link_of_proc()) {
    return refuse(way.end().path + " is reached through a link of /proc: use the real file or folder instead");
  }
  // The user may have made something since are_roots_alone() looked.
  const bool with_roots_rights = util::DacOverride().raised();
  const uid_t user = with_roots_rights ? 0 : ::geteuid();
  auto faults = way.faults(
      user,
      {.not_theirs = with_roots_rights ? "not to root, whose rights nfbus still has"
                                       : fmt::format("neither to root nor to the user that runs nfbus (uid {})", user),
       .end = std::move(end),
       .end_is_not_sticky = end_is_not_sticky});
  if (!faults.empty()) return refuse(std::move(faults.front()));
  return {};
}

Result<Trusted> trusted(Way way) {
  struct stat status {};
  if (::fstat(way.descriptor(), &status) != 0) return cannot_open(way.end().path, errno);
  std::string path = way.end().path;
  return Trusted{.descriptor = way.take(), .version = version_of(status), .path = std::move(path)};
}

}  // namespace

std::optional<FileVersion> version_of(int descriptor) noexcept {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return std::nullopt;
  return version_of(status);
}

bool are_roots_alone(const std::vector<fs::path>& folders, uid_t user) {
  // What others may change as well is refused later, with root's rights or without.
  const auto is_roots = [user](const Result<Way>& way, const WayStop& stop) {
    if (!way) return stop.is_owned_by_root;
    return way->is_owned_by_root() && (way->faults(0).empty() || !way->faults(user).empty());
  };
  for (const fs::path& folder : folders) {
    WayStop stop;
    if (const auto way = Way::to_folder(folder.string(), &stop); !is_roots(way, stop)) return false;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->path().extension() != ".so") continue;
      if (const auto way = Way::to_file(entry->path().string(), &stop); !is_roots(way, stop)) return false;
    }
  }
  return true;
}

Result<Trusted> open_trusted_folder(const fs::path& folder) {
  WayStop stop;
  auto way = Way::to_folder(folder.string(), &stop);
  if (!way && stop.error_number == 0) return way.error();
  if (!way && stop.error_number == ENOTDIR) return refuse(stop.path + " is not a folder");
  if (!way) return cannot_open(stop.path, stop.error_number);
  if (auto judged = judge(*way, {}, true); !judged) return judged.error();
  return trusted(std::move(way).value());
}

Result<Trusted> open_trusted_file(const Trusted& folder, const std::string& name) {
  const std::string path = (fs::path(folder.path) / name).string();
  WayStop stop;
  auto way = Way::to_file(path, &stop);
  if (!way && stop.error_number == 0) {
    if (way.error().code == Code::busy) return way.error();
    return refuse((stop.path == path ? kFile : stop.path) + " is not a regular file");
  }
  if (!way && stop.path == path) return cannot_open(kFile, stop.error_number);
  if (!way) return refuse(fmt::format("it is a link: {}", cannot_open(stop.path, stop.error_number).text));
  const bool is_link = way->end().path != path;
  if (auto judged = judge(*way, is_link ? "" : kFile, false); !judged) return judged.error();
  auto opened = trusted(std::move(way).value());
  if (!opened) return opened;
  opened->is_link = is_link;
  // The loader opens it once more, and without root's rights: code runs in there.
  const std::string same = fmt::format("/proc/self/fd/{}", opened->descriptor.get());
  const Descriptor again(::open(same.c_str(), O_RDONLY | O_CLOEXEC));
  if (again.valid() || errno != EACCES) return opened;
  return refuse(fmt::format("{} may not be read by the user that runs nfbus (uid {}): chmod a+r {}",
                            is_link ? opened->path : kFile, ::geteuid(), util::shell_word(opened->path)));
}

}  // namespace nfbus::host
