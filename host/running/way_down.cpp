#include "running/way_down.hpp"

#include "plugins/trust.hpp"
#include "privileged/helper.hpp"
#include "support/way.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace nfbus::host {

namespace {

// What the host opens beside capture files, at most, and a good deal more.
constexpr rlim_t kOtherDescriptors = 256;

// A folder of captures can have more files than may be open by default.
void allow_open_files(std::size_t count) {
  rlimit limit{};
  const rlim_t wanted = count + kOtherDescriptors;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

bool may_use_roots_rights(const ConfigFile& file, const EarlyConfig& early) {
  // A file that is not there names nothing.
  const bool chosen_by_root = file.way ? file.way->is_roots() : !file.text.ok();
  return chosen_by_root && are_roots_alone(early.plugin_folders, account_to_become(early.user).uid);
}

Result<void> step_down(const EarlyConfig& early, bool may_use_roots_rights) {
  auto lowered = lower_privileges(early.user, early.user_given);
  // A user that does not exist is one of the mistakes that load_config() reports.
  if (!lowered && lowered.error().code == Code::not_found) lowered = lower_privileges(defaults::kUser, false);
  if (!lowered || may_use_roots_rights) return lowered;
  return drop_privileges();
}

PrivilegedParts start_privileged_parts(const EarlyConfig& early, bool may_use_roots_rights) {
  std::string_view forbidden;
  if (::geteuid() != 0) {
    forbidden = "nfbus must be started by root for it";
  } else if (!may_use_roots_rights) {
    forbidden = "others than root can change the configuration, a plugin or a folder above them";
  }
  const Account account = account_to_become(early.user);
  return PrivilegedParts::start(early.instances, early.plugin_folders, account.uid, account.gid, forbidden);
}

Result<ReplayFile> open_file_to_replay(const std::string& path, bool started_as_root) {
  if (started_as_root && path != "-") {
    if (auto way = Way::to_file_of_anyone(path)) return ReplayFile{.name = path, .descriptor = way->take()};
  }
  auto opened = ReplayFile::open(path);
  if (opened || opened.error().code != Code::refused || !started_as_root) return opened;
  Error error = std::move(opened).error();
  error.text += fmt::format(" (uid {}): let that user read it, or move it to where its owner and root alone may write",
                            ::geteuid());
  return error;
}

Result<std::vector<CaptureFile>> open_captures(const std::vector<std::string>& paths, bool started_as_root) {
  std::vector<CaptureFile> files;
  files.reserve(paths.size());
  allow_open_files(paths.size());
  for (const std::string& path : paths) {
    auto file = open_file_to_replay(path, started_as_root);
    if (!file) return std::move(file).error();
    auto opened = CaptureFile::open(std::move(file).value());
    if (!opened) return std::move(opened).error();
    files.push_back(std::move(opened).value());
  }
  return files;
}

}  // namespace nfbus::host
