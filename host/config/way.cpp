#include "config/way.hpp"

#include "config/read_file.hpp"

#include <nfbus/util/commands.hpp>
#include <nfbus/util/dac_override.hpp>
#include <nfbus/util/path_walk.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace nfbus::host {

namespace {

bool is_folder(const WayStep& step) noexcept { return S_ISDIR(step.mode); }
bool is_link(const WayStep& step) noexcept { return S_ISLNK(step.mode); }

// In a sticky folder of root's everybody's own stays where it is.
bool keeps_apart(const WayStep& step) noexcept {
  return is_folder(step) && step.owner == 0 && (step.mode & S_ISVTX) != 0;
}

// Whether the group has no member but `user`.
bool is_private(gid_t group, uid_t user) {
  const passwd* const account = ::getpwuid(user);
  if (account == nullptr || account->pw_gid != group) return false;
  const std::string name = account->pw_name;
  const ::group* const members = ::getgrgid(group);
  if (members == nullptr) return false;
  for (char** member = members->gr_mem; *member != nullptr; ++member) {
    if (*member != name) return false;
  }
  bool alone = true;
  ::setpwent();
  while (const passwd* const other = ::getpwent()) alone = alone && (other->pw_gid != group || other->pw_uid == user);
  ::endpwent();
  return alone;
}

// Whether others than its owner and `user` may write to it.
bool is_open_to_others(const WayStep& step, uid_t user) {
  if (is_link(step)) return false;
  if ((step.mode & S_IWOTH) != 0) return true;
  if ((step.mode & S_IWGRP) == 0) return false;
  if (step.has_acl) return true;
  return !is_private(step.group, user) && !is_private(step.group, step.owner);
}

std::string whose_it_is_not(uid_t user) {
  if (user == 0) return "not to root";
  return fmt::format("neither to root nor to the user that runs nfbus (uid {})", user);
}

}  // namespace

class Walk {
 public:
  explicit Walk(bool to_folder, bool lends_to_owner = false) noexcept
      : to_folder_(to_folder), lends_to_owner_(lends_to_owner) {}

  Result<Way> run(const std::string& path) {
    if (path.empty()) return read_error("no file name was given");
    if (path.find('\0') != std::string::npos) return read_error("the file name has a NUL byte in it");
    rest_ = path;
    if (!path.starts_with('/')) {
      std::error_code error;
      rest_ = (std::filesystem::current_path(error) / path).string();
      if (error) return read_error(error.value());
    }
    if (const int error = begin(); error != 0) return read_error(error);
    for (;;) {
      const std::string part = util::take_name(rest_);
      if (part.empty()) return at_folder();
      if (part == ".") continue;
      const bool is_last = rest_.find_first_not_of('/') == std::string::npos;
      if (auto passed = pass(part, is_last); !passed) return passed.error();
      if (way_.end_.valid()) return std::move(way_);
    }
  }

 private:
  int begin() {
    here_ = Descriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat found {};
    if (!here_.valid() || ::fstat(here_.get(), &found) != 0) return errno;
    here_path_ = "/";
    here_step_ = way_.steps_.size();
    add("/", found, here_);
    return 0;
  }

  [[nodiscard]] std::string path_of(const std::string& part) const {
    return (part == ".." ? here_path_.parent_path() : here_path_ / part).string();
  }

  Result<Way> at_folder() {
    if (!to_folder_) return read_error("is a directory; name a file in it");
    way_.end_ = std::move(here_);
    return std::move(way_);
  }

  void add(std::string path, const struct stat& found, const Descriptor& descriptor) {
    bool has_acl = false;
    if (!S_ISLNK(found.st_mode) && (found.st_mode & S_IWGRP) != 0) {
      const std::string same = fmt::format("/proc/self/fd/{}", descriptor.get());  // O_PATH has no attributes
      has_acl = ::getxattr(same.c_str(), "system.posix_acl_access", nullptr, 0) >= 0;
    }
    way_.steps_.push_back({.path = std::move(path),
                           .owner = found.st_uid,
                           .group = found.st_gid,
                           .mode = found.st_mode,
                           .names = found.st_nlink,
                           .folder = here_step_,
                           .has_acl = has_acl});
  }

  // With root's rights where no more than root's own is opened by them.
  [[nodiscard]] Descriptor open(const std::string& part, int flags) const {
    const auto once = [&] { return Descriptor(::openat(here_.get(), part.c_str(), flags | O_CLOEXEC)); };
    Descriptor opened = once();
    if (opened.valid() || errno != EACCES) return opened;
    if (!way_.is_roots() && !(lends_to_owner_ && way_.is_of_one_user())) {
      errno = EACCES;
      return opened;
    }
    const util::DacOverride as_root;
    return once();
  }

  // O_PATH: a folder need not be readable. O_DIRECTORY: one that is mounted when somebody enters it, is.
  [[nodiscard]] Descriptor look_at(const std::string& part, bool is_last) const {
    constexpr int kLook = O_PATH | O_NOFOLLOW;
    if (is_last) return open(part, kLook);
    Descriptor folder = open(part, kLook | O_DIRECTORY);
    if (folder.valid() || (errno != ENOTDIR && errno != ELOOP)) return folder;
    return open(part, kLook);
  }

  Result<void> pass(const std::string& part, bool is_last) {
    Descriptor step = look_at(part, is_last);
    struct stat found {};
    if (!step.valid() || ::fstat(step.get(), &found) != 0) return read_error(errno);
    bool by_proc = false;
    if (S_ISLNK(found.st_mode)) {
      add(path_of(part), found, step);
      by_proc = util::is_link_of_proc(step);
      if (!by_proc) return follow(step);
      step = open(part, O_PATH);
      if (!step.valid() || ::fstat(step.get(), &found) != 0) return read_error(errno);
    }
    if (S_ISDIR(found.st_mode)) {
      std::string path = path_of(part);
      add(path, found, step);
      here_ = std::move(step);
      here_path_ = std::move(path);
      here_step_ = way_.steps_.size() - 1;
      return {};
    }
    if (!is_last || !rest_.empty() || to_folder_) return read_error(ENOTDIR);
    if (!S_ISREG(found.st_mode)) return read_error("is not a regular file");
    add(path_of(part), found, step);
    return open_end(part, found, by_proc ? 0 : O_NOFOLLOW);
  }

  Result<void> follow(const Descriptor& link) {
    if (++links_ > util::kMostLinks) return read_error(ELOOP);
    std::string target;
    if (const int error = util::read_link(link, target); error != 0) return read_error(error);
    rest_.insert(0, target);
    if (!target.starts_with('/')) return {};
    const int error = begin();
    return error == 0 ? Result<void>() : read_error(error);
  }

  Result<void> open_end(const std::string& part, const struct stat& found, int no_follow) {
    Descriptor end = open(part, O_RDONLY | O_NONBLOCK | O_NOCTTY | no_follow);
    struct stat opened {};
    if (!end.valid() || ::fstat(end.get(), &opened) != 0) return read_error(errno);
    if (opened.st_dev != found.st_dev || opened.st_ino != found.st_ino) {
      return Error{.code = Code::busy, .text = "was replaced at that moment"};
    }
    way_.end_ = std::move(end);
    return {};
  }

  const bool to_folder_;
  const bool lends_to_owner_;
  Way way_;
  Descriptor here_;
  std::filesystem::path here_path_;
  std::size_t here_step_ = 0;
  std::string rest_;
  int links_ = 0;
};

Result<Way> Way::to_file(const std::string& path) { return Walk(false).run(path); }
Result<Way> Way::to_file_of_anyone(const std::string& path) { return Walk(false, true).run(path); }
Result<Way> Way::to_folder(const std::string& path) { return Walk(true).run(path); }

bool Way::is_in_open_folder(const WayStep& step, uid_t user) const {
  const WayStep& folder = steps_[step.folder];
  return !is_folder(step) && ((folder.owner != 0 && folder.owner != user) || is_open_to_others(folder, user));
}

bool Way::is_roots_up_to(std::size_t count) const {
  return std::all_of(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(count), [&](const WayStep& step) {
    if (step.owner != 0) return false;
    if (is_open_to_others(step, 0) && !keeps_apart(step)) return false;
    return !is_in_open_folder(step, 0);  // a file of root's can be moved into a sticky folder, a folder cannot
  });
}

bool Way::is_of_one_user() const {
  const auto first = std::ranges::find_if(steps_, [](const WayStep& step) { return step.owner != 0; });
  if (first == steps_.end() || !faults(first->owner).empty()) return false;
  return is_folder(end()) || end().owner == first->owner;
}

std::vector<std::string> Way::faults(uid_t user) const {
  std::vector<std::string> faults;
  const auto add = [&](std::string fault) {
    if (std::ranges::find(faults, fault) == faults.end()) faults.push_back(std::move(fault));
  };
  for (const WayStep& step : steps_) {
    if (auto planted = planted_at(step, user)) {
      add(*std::move(planted));
    } else if (step.owner != 0 && step.owner != user) {
      add(fmt::format("{0} belongs to uid {1}, {2}: chown root {3}", step.path, step.owner, whose_it_is_not(user),
                      util::shell_word(step.path)));
    } else if (is_open_to_others(step, user) && !keeps_apart(step)) {
      add(fmt::format("{0} is writable by others than its owner (mode {1:04o}): chmod go-w {2}", step.path,
                      step.mode & 07777U, util::shell_word(step.path)));
    }
  }
  return faults;
}

std::optional<std::string> Way::planted(uid_t user) const {
  for (const WayStep& step : steps_) {
    if (auto planted = planted_at(step, user)) return planted;
  }
  return std::nullopt;
}

std::optional<std::string> Way::planted_at(const WayStep& step, uid_t user) const {
  if (is_link(step)) {
    if (step.owner == 0 || step.owner == user) return std::nullopt;
    return fmt::format("{0} is a link that belongs to uid {1}, {2}: remove it, or name the file that is meant",
                       step.path, step.owner, whose_it_is_not(user));
  }
  if (is_folder(step) || step.names < 2 || !is_in_open_folder(step, user)) return std::nullopt;
  return fmt::format("{} is one of {} names of a file, in a folder that others may write to: name a copy elsewhere",
                     step.path, step.names);
}

}  // namespace nfbus::host
