#include "running/later.hpp"

#include <nfbus/util/commands.hpp>
#include <nfbus/util/output_access.hpp>
#include <nfbus/util/output_place.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
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

// For a command, which may be given in another folder.
std::string real_path(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  if (error) real = fs::absolute(path, error);
  return error ? path.string() : real.string();
}

// What lets the effective user's group do what `bits` say, S_IRGRP and the like: a command, or the link to remove.
std::string open_to_group(const fs::path& path, mode_t bits) {
  if (const std::string link = util::find_users_link(path); !link.empty()) return util::remove_link(link);
  const std::string word = util::shell_word(real_path(path));
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return "chmod g+rX " + word;
  if (found.st_uid == ::geteuid()) return "chmod u+rX " + word;
  return fmt::format("chgrp {} {} && chmod {:04o} {}", util::group_name(), word, (found.st_mode & 07777U) | bits, word);
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

// What lets the effective user read `path`; nothing if he can.
std::optional<std::string> mend_reading(const fs::path& path, bool is_folder) {
  if (!is_closed(path, is_folder ? R_OK | X_OK : R_OK)) return std::nullopt;
  if (const auto folder = closed_folder(path)) {
    if (util::is_for_all(folder->string())) return "move it out of " + folder->string();
    return open_to_group(*folder, S_IXGRP);
  }
  return open_to_group(path, is_folder ? S_IRGRP | S_IXGRP : S_IRGRP);
}

// What lets the effective user make and remove files in a folder.
std::string mend_writing(const fs::path& folder) {
  struct stat found {};
  if (::stat(folder.c_str(), &found) == 0 && found.st_uid == ::geteuid()) {
    return "chmod u+rwx " + util::shell_word(real_path(folder));
  }
  if (const std::string link = util::find_users_link(folder); !link.empty()) return util::remove_link(link);
  if (util::is_for_all(folder.string())) return "name one in a folder of its own, which nfbus makes";
  return util::give_command(real_path(folder));
}

Error trouble(const std::string& key, const std::string& text, Location where) {
  return {.code = Code::refused, .text = key.empty() ? text : key + ": " + text, .where = std::move(where)};
}

// What reading does not work; `at_reload` says what SIGHUP does then.
std::optional<Error> reading_trouble(const std::string& key, const fs::path& path, const std::string& at_reload,
                                     const Location& where) {
  const auto mend = mend_reading(path, false);
  if (!mend) return std::nullopt;
  const std::string name = key.empty() ? "it" : path.string();
  return trouble(
      key, fmt::format("user {} cannot read {}, so that SIGHUP {}; {}", util::user_name(), name, at_reload, *mend),
      where);
}

std::optional<Error> output_trouble(const UsedPath& used) {
  if (used.path == "-") return std::nullopt;  // standard output
  const auto found = util::output_trouble(used.path);
  if (!found) return std::nullopt;
  return trouble(used.key, found->text, used.where);
}

std::vector<Error> plugin_troubles(const fs::path& folder, const Location& where) {
  constexpr const char* kKey = "host.plugin_dirs";
  if (const auto mend = mend_reading(folder, true)) {
    return {trouble(kKey,
                    fmt::format("user {} cannot read {}, so that SIGHUP finds no plugin there; {}", util::user_name(),
                                folder.string(), *mend),
                    where)};
  }
  std::vector<Error> out;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".so") continue;
    if (auto found = reading_trouble(kKey, entry->path(), "does not find it", where)) out.push_back(*std::move(found));
  }
  return out;
}

std::optional<Error> socket_trouble(const std::string& path, const Location& where) {
  const fs::path above = fs::path(path).parent_path();
  const fs::path folder = above.empty() ? "." : above;
  if (!is_closed(folder, W_OK | X_OK)) return std::nullopt;
  return trouble("bus.socket",
                 fmt::format("user {} cannot remove {} at the end: it is left, for the next start to replace; {}",
                             util::user_name(), path, mend_writing(folder)),
                 where);
}

// Whoever may write the file is trusted for being the one whom it names.
std::optional<Error> self_named(const ConfigFile& file, const EarlyConfig& early, const Location& where) {
  if (!file.way || file.way->is_roots() || ::geteuid() == 0 || early.user == defaults::kUser) return std::nullopt;
  return trouble("host.user",
                 fmt::format("user {} may write this file, and it names that user, who gets all that is captured; "
                             "chown root {}",
                             util::user_name(), util::shell_word(real_path(file.name))),
                 where);
}

// The socket is made by root, and made again on SIGHUP by the user, who gives files only to groups of his.
std::optional<Error> group_trouble(const std::string& name, const Location& where) {
  const group* const found = name.empty() ? nullptr : ::getgrnam(name.c_str());
  if (found == nullptr || ::geteuid() == 0 || found->gr_gid == ::getegid() || ::group_member(found->gr_gid) != 0) {
    return std::nullopt;
  }
  return trouble(
      "bus.group",
      fmt::format("user {0} is not in group {1}, so that a socket that somebody removed is not made again on "
                  "SIGHUP; usermod -aG {2} {0}",
                  util::user_name(), name, util::shell_word(name)),
      where);
}

}  // namespace

std::vector<Error> later_trouble(const ConfigFile& file, const EarlyConfig& early,
                                 const std::vector<UsedPath>& used_paths, bool replay) {
  const Location in_file{file.name};
  constexpr const char* kReloadsNothing = "reloads nothing";
  std::vector<Error> out;
  const auto add = [&](std::optional<Error> found) {
    if (found) out.push_back(*std::move(found));
  };
  add(self_named(file, early, in_file));
  if (!replay) {
    add(reading_trouble({}, file.name, kReloadsNothing, in_file));
    for (const fs::path& folder : early.plugin_folders) {
      for (Error& found : plugin_troubles(folder, in_file)) out.push_back(std::move(found));
    }
  }
  for (const UsedPath& used : used_paths) {
    if (used.use == UsedPath::Use::output) add(output_trouble(used));
    if (used.use == UsedPath::Use::secret && !replay) {
      add(reading_trouble(used.key, used.path, kReloadsNothing, used.where));
    }
  }
  if (early.has_bus || !replay) {
    add(socket_trouble(early.bus_socket, in_file));
    add(group_trouble(early.bus_group, in_file));
  }
  return out;
}

}  // namespace nfbus::host
