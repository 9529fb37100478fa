#include "cli/later.hpp"

#include <nfbus/util/output_access.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

bool is_closed(const fs::path& path, int access) {
  return ::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) != 0 && errno == EACCES;
}

// The command that lets the effective user's group do what `bits` say, S_IRGRP and the like.
std::string open_to_group(const fs::path& path, mode_t bits) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return "chmod g+rX " + path.string();
  const std::string mode = fmt::format("chmod {:04o} {}", (found.st_mode & 07777U) | bits, path.string());
  if (found.st_uid == ::geteuid()) return fmt::format("chmod u+rX {}", path.string());
  return fmt::format("chgrp {} {} && {}", util::detail::group_name(), path.string(), mode);
}

// The first folder on the way that the effective user may not pass.
std::optional<fs::path> closed_folder(const fs::path& path) {
  std::error_code error;
  fs::path walked;
  for (const fs::path& part : fs::absolute(path, error).parent_path()) {
    walked /= part;
    if (is_closed(walked, X_OK)) return walked;
  }
  return std::nullopt;
}

// The command that lets the effective user read `path`; nothing if he can.
std::optional<std::string> mend_reading(const fs::path& path, bool is_folder) {
  if (!is_closed(path, is_folder ? R_OK | X_OK : R_OK)) return std::nullopt;
  if (const auto folder = closed_folder(path)) {
    if (util::detail::is_for_all(folder->string())) return "move it out of " + folder->string();
    return open_to_group(*folder, S_IXGRP);
  }
  return open_to_group(path, is_folder ? S_IRGRP | S_IXGRP : S_IRGRP);
}

// The command that lets the effective user make and remove files in a folder.
std::string mend_writing(const fs::path& folder) {
  struct stat found {};
  if (util::detail::is_for_all(folder.string())) return "name one in a folder of its own, which nfbus makes";
  if (::stat(folder.c_str(), &found) == 0 && found.st_uid == ::geteuid()) return "chmod u+rwx " + folder.string();
  return fmt::format("chown {} {}", util::detail::user_name(), folder.string());
}

class Judge {
 public:
  explicit Judge(const ConfigFile& file) : file_(file) {}

  void config() {
    if (const auto mend = mend_reading(file_.name, false)) {
      add({}, fmt::format("{} cannot read it, so that SIGHUP reloads nothing; {}", user_, *mend), Location{file_.name});
    }
  }

  void secret(const UsedPath& used) {
    if (const auto mend = mend_reading(used.path, false)) {
      add(used.key, fmt::format("{} cannot read {}, so that SIGHUP reloads nothing; {}", user_, used.path, *mend),
          used.where);
    }
  }

  void output(const UsedPath& used) {
    if (used.path == "-") return;  // standard output
    if (auto trouble = util::output_trouble(used.path)) add(used.key, std::move(trouble)->text, used.where);
  }

  void plugins(const fs::path& folder) {
    std::error_code error;
    if (const auto mend = mend_reading(folder, true)) {
      add("host.plugin_dirs",
          fmt::format("{} cannot read {}, so that SIGHUP finds no plugin there; {}", user_, folder.string(), *mend),
          Location{file_.name});
      return;
    }
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->path().extension() != ".so") continue;
      if (const auto mend = mend_reading(entry->path(), false)) {
        add("host.plugin_dirs",
            fmt::format("{} cannot read {}, so that SIGHUP does not find it; {}", user_, entry->path().string(), *mend),
            Location{file_.name});
      }
    }
  }

  void socket(const std::string& path) {
    const fs::path above = fs::path(path).parent_path();
    const fs::path folder = above.empty() ? "." : above;
    if (!is_closed(folder, W_OK | X_OK)) return;
    add("bus.socket",
        fmt::format("{} cannot remove {} at the end: it is left, for the next start to replace; {}", user_, path,
                    mend_writing(folder)),
        Location{file_.name});
  }

  std::vector<Error> found;

 private:
  void add(const std::string& key, const std::string& text, Location where) {
    found.push_back({.code = Code::refused, .text = key.empty() ? text : key + ": " + text, .where = std::move(where)});
  }

  const ConfigFile& file_;
  const std::string user_ = "user " + util::detail::user_name();
};

}  // namespace

std::vector<Error> later_trouble(const ConfigFile& file, const EarlyConfig& early,
                                 const std::vector<UsedPath>& used_paths, bool replay) {
  Judge judge(file);
  if (!replay) {
    judge.config();
    for (const fs::path& folder : early.plugin_folders) judge.plugins(folder);
  }
  for (const UsedPath& used : used_paths) {
    if (used.use == UsedPath::Use::output) judge.output(used);
    if (used.use == UsedPath::Use::secret && !replay) judge.secret(used);
  }
  if (early.has_bus || !replay) judge.socket(early.bus_socket);
  return std::move(judge.found);
}

}  // namespace nfbus::host
