#include "support/way.hpp"

#include "support/read_error.hpp"

#include <nfbus/util/commands.hpp>
#include <nfbus/util/dac_override.hpp>
#include <nfbus/util/path_walk.hpp>
#include <nfbus/util/who_may_write.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
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

bool is_sticky_folder(const WayStep& step) noexcept { return is_folder(step) && (step.mode & S_ISVTX) != 0; }

// Whether others than its owner, root and `user` may write to it.
bool is_open_to_others(const WayStep& step, uid_t user) {
  if (is_link(step)) return false;
  if ((step.mode & S_IWOTH) != 0) return true;
  if ((step.mode & S_IWGRP) == 0) return false;
  return step.has_acl || !util::has_nobody_else(step.group, user);
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

  Result<Way> run(const std::string& path, WayStop* stop) {
    auto way = walk(path);
    if (!way && stop != nullptr) {
      *stop = {.path = std::move(at_), .error_number = error_number_, .is_owned_by_root = way_.is_owned_by_root()};
    }
    return way;
  }

 private:
  Result<Way> walk(const std::string& path) {
    at_ = path;
    if (path.empty()) return read_error("no file name was given");
    if (path.find('\0') != std::string::npos) return read_error("the file name has a NUL byte in it");
    rest_ = path;
    if (!path.starts_with('/')) {
      std::error_code error;
      rest_ = (std::filesystem::current_path(error) / path).string();
      if (error) return fail(error.value());
    }
    if (const int error = begin(); error != 0) return fail(error);
    for (;;) {
      const std::string part = util::take_name(rest_);
      if (part.empty()) return at_folder();
      if (part == ".") continue;
      const bool is_last = rest_.find_first_not_of('/') == std::string::npos;
      if (auto passed = pass(part, is_last); !passed) return passed.error();
      if (way_.end_.valid()) return std::move(way_);
    }
  }

  Error fail(int error_number) {
    error_number_ = error_number;
    return read_error(error_number);
  }

  int begin() {
    at_ = "/";
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
    const bool group_may_write = !S_ISLNK(found.st_mode) && (found.st_mode & S_IWGRP) != 0;
    way_.steps_.push_back({.path = std::move(path),
                           .owner = found.st_uid,
                           .group = found.st_gid,
                           .mode = found.st_mode,
                           .names = found.st_nlink,
                           .folder = here_step_,
                           .has_acl = group_may_write && util::may_have_acl(descriptor.get()),
                           .is_unmapped = util::is_unmapped_user(found.st_uid)});
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
    const int error = errno;
    struct stat found {};
    at_ = path_of(part);
    if (!step.valid()) return fail(error);
    if (::fstat(step.get(), &found) != 0) return fail(errno);
    bool by_proc = false;
    if (S_ISLNK(found.st_mode)) {
      add(path_of(part), found, step);
      by_proc = util::is_link_of_proc(step);
      if (!by_proc) return follow(step);
      way_.has_link_of_proc_ = true;
      step = open(part, O_PATH);
      if (!step.valid() || ::fstat(step.get(), &found) != 0) return fail(errno);
    }
    if (S_ISDIR(found.st_mode)) {
      std::string path = path_of(part);
      add(path, found, step);
      here_ = std::move(step);
      here_path_ = std::move(path);
      here_step_ = way_.steps_.size() - 1;
      return {};
    }
    if (!is_last || !rest_.empty() || to_folder_) return fail(ENOTDIR);
    if (!S_ISREG(found.st_mode)) return read_error("is not a regular file");
    add(path_of(part), found, step);
    return open_end(part, found, by_proc ? 0 : O_NOFOLLOW);
  }

  Result<void> follow(const Descriptor& link) {
    if (++links_ > util::kMostLinks) return fail(ELOOP);
    std::string target;
    if (const int error = util::read_link(link, target); error != 0) return fail(error);
    rest_.insert(0, target);
    if (!target.starts_with('/')) return {};
    const int error = begin();
    return error == 0 ? Result<void>() : fail(error);
  }

  Result<void> open_end(const std::string& part, const struct stat& found, int no_follow) {
    Descriptor end = open(part, O_RDONLY | O_NONBLOCK | O_NOCTTY | no_follow);
    struct stat opened {};
    if (!end.valid() || ::fstat(end.get(), &opened) != 0) return fail(errno);
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
  std::string at_;
  int error_number_ = 0;
  int links_ = 0;
};

Result<Way> Way::to_file(const std::string& path, WayStop* stop) { return Walk(false).run(path, stop); }
Result<Way> Way::to_file_of_anyone(const std::string& path) { return Walk(false, true).run(path, nullptr); }
Result<Way> Way::to_folder(const std::string& path, WayStop* stop) { return Walk(true).run(path, stop); }

bool Way::is_roots_own(const WayStep& step) const {
  if (step.owner == 0) return true;
  // All whom this namespace of users does not have look the same. The root of the machine is one of them, and made or
  // gave away what lies in a folder of its own; where others may write, it can be anybody's.
  return step.is_unmapped && !is_open_to_others(steps_[step.folder], 0);
}

bool Way::belongs_to(const WayStep& step, uid_t user) const {
  return is_roots_own(step) || (step.owner == user && !step.is_unmapped);
}

// In a sticky folder of root's everybody's own stays where it is.
bool Way::keeps_apart(const WayStep& step) const { return is_sticky_folder(step) && is_roots_own(step); }

bool Way::is_in_open_folder(const WayStep& step, uid_t user) const {
  const WayStep& folder = steps_[step.folder];
  return !is_folder(step) && (!belongs_to(folder, user) || is_open_to_others(folder, user));
}

bool Way::is_owned_by_root() const {
  return std::ranges::all_of(steps_, [&](const WayStep& step) { return is_roots_own(step); });
}

bool Way::is_roots_up_to(std::size_t count) const {
  return std::all_of(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(count), [&](const WayStep& step) {
    if (!is_roots_own(step)) return false;
    if (is_open_to_others(step, 0) && !keeps_apart(step)) return false;
    return !is_in_open_folder(step, 0);  // a file of root's can be moved into a sticky folder, a folder cannot
  });
}

bool Way::is_of_one_user() const {
  const auto first = std::ranges::find_if(steps_, [&](const WayStep& step) { return !is_roots_own(step); });
  if (first == steps_.end() || !faults(first->owner).empty()) return false;
  return is_folder(end()) || end().owner == first->owner;
}

std::vector<std::string> Way::faults(uid_t user) const { return faults(user, {.not_theirs = whose_it_is_not(user)}); }

std::vector<std::string> Way::faults(uid_t user, const FaultWords& words) const {
  std::vector<std::string> faults;
  const auto add = [&](std::string fault) {
    if (std::ranges::find(faults, fault) == faults.end()) faults.push_back(std::move(fault));
  };
  for (const WayStep& step : steps_) {
    const std::string& name = &step == &end() && !words.end.empty() ? words.end : step.path;
    if (auto planted = planted_at(step, user, words)) {
      add(*std::move(planted));
    } else if (!belongs_to(step, user)) {
      add(fmt::format("{0} belongs to uid {1}, {2}: {3}", name, step.owner, words.not_theirs,
                      step.is_unmapped ? "that is anybody outside of this user namespace; name a copy of your own"
                                       : "chown root " + util::shell_word(step.path)));
    } else if (is_open_to_others(step, user) && (!keeps_apart(step) || (words.end_is_not_sticky && &step == &end()))) {
      add(fmt::format("{0} is writable by others than its owner (mode {1:04o}): chmod go-w {2}", name,
                      step.mode & 07777U, util::shell_word(step.path)));
    }
  }
  return faults;
}

std::optional<std::string> Way::planted(uid_t user) const {
  for (const WayStep& step : steps_) {
    if (auto planted = planted_at(step, user, {.not_theirs = whose_it_is_not(user)})) return planted;
  }
  return std::nullopt;
}

std::optional<std::string> Way::planted_at(const WayStep& step, uid_t user, const FaultWords& words) const {
  if (is_link(step)) {
    if (belongs_to(step, user)) return std::nullopt;
    return fmt::format("{0} is a link that belongs to uid {1}, {2}: remove it, or name the file that is meant",
                       step.path, step.owner, words.not_theirs);
  }
  if (is_folder(step) || step.names < 2 || !is_in_open_folder(step, user)) return std::nullopt;
  return fmt::format("{} is one of {} names of a file, in a folder that others may write to: name a copy elsewhere",
                     step.path, step.names);
}

}  // namespace nfbus::host
