// Finds where an output's path leads to.
//
//   constexpr char kPath[] = "/var/log/nfbus/out.json";
//   nfbus::Result<nfbus::util::OutputPlace> place = nfbus::util::find_output(kPath);
//   if (!place.ok()) return place.error();
//   nfbus::util::Opening opened = place->open_or_make(O_WRONLY | O_APPEND);
//   if (!opened.fd.valid()) return nfbus::util::cannot_open(kPath, opened);
//
// A path is walked from one held folder to the next. A link on the way is followed if it belongs to root or to the
// effective user, no other one is.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/commands.hpp>
#include <nfbus/util/dac_override.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/output_folder.hpp>
#include <nfbus/util/path_walk.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace nfbus::util {

// A name in a folder.
struct OutputPlace {
  OutputFolder folder;
  std::string name;
  bool by_link = false;  // the path's last part is a link, to here
  bool by_proc = false;  // and that is one of /proc to an open file, which the kernel alone can follow

  [[nodiscard]] std::string path() const { return folder.path_of(name); }

  // Reads what is there; other than OutputFolder::open(), what a link of /proc leads to.
  [[nodiscard]] Opening open(int flags) const {
    if (!by_proc) return folder.open(name, flags);
    const int fd = openat(AT_FDCWD, path().c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return {.fd = Descriptor(fd), .error = fd < 0 ? errno : 0, .refusal = {}};
  }
  [[nodiscard]] int stat_entry(struct stat& found) const noexcept {
    if (!by_proc) return folder.stat_entry(name, found);
    return stat(path().c_str(), &found) == 0 ? 0 : errno;
  }
  // A link to nothing makes nothing.
  [[nodiscard]] Opening make(int flags) const {
    if (!by_link) return folder.make(name, flags);
    return detail::refused(dangling());
  }
  [[nodiscard]] std::string dangling() const {
    const std::string text = "it is a link to " + path() + ", which is not there: ";
    if (const std::string& link = folder.users_link(); !link.empty()) return text + remove_link(link);
    return text + "make that file, or remove the link";
  }
  // Makes an empty file where there is nothing.
  [[nodiscard]] Opening open_or_make(int flags) const {
    for (int attempt = 0;; ++attempt) {
      Opening opened = open(flags);
      if (opened.error != ENOENT) return opened;
      Opening made = make(flags);
      if (made.error != EEXIST || attempt == kMostAttempts) return made;  // made by somebody else in between
    }
  }

 private:
  static constexpr int kMostAttempts = 3;
};

namespace detail {

// Walks one path.
class OutputWalk {
 public:
  explicit OutputWalk(Rights rights) noexcept : rights_(rights) {}

  // Up to the last part, which need not exist; that is in `place` then. Follows it when it is a link.
  Opening find(const std::string& path, OutputPlace& place) {
    if (Opening begun = begin(path); begun.error != 0) return begun;
    rest_ = path;
    for (;;) {
      const std::string part = take_name(rest_);
      const bool is_last = rest_.find_first_not_of('/') == std::string::npos;
      if (part.empty()) return failed(EISDIR);
      if (is_last && (part == ".." || part == "." || !rest_.empty())) return failed(EISDIR);
      Opening step = is_last ? last(part, place) : into(part);
      if (step.error != 0 || place_found_) return step;
    }
  }

  // The whole path, of a folder.
  Opening enter(const std::string& path, OutputFolder& folder) {
    if (Opening begun = begin(path); begun.error != 0) return begun;
    rest_ = path;
    for (std::string part = take_name(rest_); !part.empty(); part = take_name(rest_)) {
      if (Opening step = into(part); step.error != 0) return step;
    }
    folder = here_;
    return {};
  }

  // The first link that was met and is not root's, were it not followed; empty: none.
  [[nodiscard]] const std::string& users_link() const noexcept { return here_.users_link_; }

 private:
  Opening begin(const std::string& path) {
    const bool from_root = path.starts_with('/');
    Descriptor folder(openat(AT_FDCWD, from_root ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat found {};
    if (!folder.valid() || fstat(folder.get(), &found) != 0) return failed(errno);
    arrive(std::move(folder), found, is_ours(found.st_uid) || (from_root && is_unmapped_user(found.st_uid)));
    here_.path_ = from_root ? "/" : ".";
    here_.rights_ = rights_;
    here_.roots_above_ = from_root;
    here_.others_above_ = false;
    return {};
  }

  // O_PATH: a folder need not be readable.
  Opening look_at(const std::string& part, struct stat& found) const {
    int fd = openat(here_.at(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && here_.lends_rights()) {
      const DacOverride override;
      if (override.raised()) fd = openat(here_.at(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) return failed(errno);
    Descriptor out(fd);
    if (fstat(fd, &found) != 0) return failed(errno);
    return {.fd = std::move(out), .error = 0, .refusal = {}};
  }

  [[nodiscard]] Opening cannot_pass() const {
    std::string why = "uid " + std::to_string(geteuid()) + " may not pass " + here_.path_ + "; ";
    if (!here_.users_link_.empty()) {
      why += remove_link(here_.users_link_);
    } else if (is_for_all(here_.status_)) {
      why += "name a file elsewhere";
    } else {
      why += "chmod a+x " + shell_word(here_.real_path());
    }
    return {.fd = {}, .error = EACCES, .refusal = std::move(why)};
  }

  Opening into(const std::string& part) {
    struct stat found {};
    Opening step = look_at(part, found);
    if (step.error == EACCES) return cannot_pass();
    if (step.error != 0) return step;
    if (S_ISLNK(found.st_mode)) {
      if (!is_link_of_proc(step.fd)) return follow(step.fd, part, found);
      if (!here_.is_ours_in_here(found)) return refuse_link(part, found);
      step.fd = Descriptor(openat(here_.at(), part.c_str(), O_PATH | O_CLOEXEC));
      if (!step.fd.valid() || fstat(step.fd.get(), &found) != 0) return failed(errno);
    }
    if (!S_ISDIR(found.st_mode)) return failed(ENOTDIR);
    step_into(std::move(step.fd), part, found);
    return {};
  }

  Opening last(const std::string& part, OutputPlace& place) {
    struct stat found {};
    const Opening step = look_at(part, found);
    // What cannot be looked at may still be made, or opened by its owner.
    const bool is_there = step.error == 0;
    if (!is_there && step.error != ENOENT && step.error != EACCES) return failed(step.error);
    place.by_proc = false;
    if (is_there && S_ISLNK(found.st_mode)) {
      place.by_link = true;
      if (!is_link_of_proc(step.fd)) return follow(step.fd, part, found);
      if (!here_.is_ours_in_here(found)) return refuse_link(part, found);
      place.by_proc = true;
    }
    if (is_there && S_ISDIR(found.st_mode)) return failed(EISDIR);
    place.folder = here_;
    place.name = part;
    place_found_ = true;
    return {};
  }

  [[nodiscard]] Opening refuse_link(const std::string& part, const struct stat& found,
                                    const std::string& target = {}) const {
    return refused(here_.path_of(part) + " is a link" + (target.empty() ? "" : " to " + target) + " that belongs to " +
                   owner_of(found) + ", neither to root nor to uid " + std::to_string(geteuid()) +
                   ", which writes: remove it, or name the file that is meant");
  }

  Opening follow(const Descriptor& link, const std::string& part, const struct stat& found) {
    std::string target;
    if (const int error = read_link(link, target); error != 0) return failed(error);
    if (found.st_uid != 0 && here_.users_link_.empty()) here_.users_link_ = real_path_of(part);
    if (!here_.is_ours_in_here(found)) return refuse_link(part, found, target);
    if (++links_ > kMostLinks) return failed(ELOOP);
    const bool is_roots = here_.roots_above_ && is_safe_from_all_but_root(found);
    const bool by_others = here_.others_above_ || !is_safe_in_here(found);
    rest_ = target + rest_;
    if (target.starts_with('/')) {
      if (Opening begun = begin("/"); begun.error != 0) return begun;
    }
    here_.roots_above_ = here_.roots_above_ && is_roots;
    here_.others_above_ = here_.others_above_ || by_others;
    return {};
  }

  [[nodiscard]] std::string real_path_of(const std::string& part) const {
    const std::string folder = here_.real_path();
    return folder == "/" ? folder + part : folder + '/' + part;
  }

  // Nobody but root and the effective user can exchange it. In a sticky folder one's own stay where they are.
  [[nodiscard]] bool is_safe_in_here(const struct stat& entry) const noexcept {
    if (!here_.is_ours_) return false;
    if (!here_.open_to_others_) return true;
    return (here_.status_.st_mode & S_ISVTX) != 0 && is_ours(entry.st_uid);
  }
  [[nodiscard]] bool is_safe_from_all_but_root(const struct stat& entry) const noexcept {
    if (here_.status_.st_uid != 0 || entry.st_uid != 0) return false;
    return !here_.open_to_other_than_root_ || (here_.status_.st_mode & S_ISVTX) != 0;
  }

  void step_into(Descriptor folder, const std::string& part, const struct stat& found) {
    here_.roots_above_ = here_.roots_above_ && is_safe_from_all_but_root(found);
    here_.others_above_ = here_.others_above_ || !is_safe_in_here(found);
    here_.path_ = here_.path_of(part);
    const bool ours = here_.is_ours_in_here(found);
    arrive(std::move(folder), found, ours);
  }

  void arrive(Descriptor folder, const struct stat& found, bool ours) {
    here_.is_ours_ = ours;
    here_.open_to_others_ = others_may_write(folder.get(), found, geteuid());
    here_.open_to_other_than_root_ = here_.open_to_others_ || others_may_write(folder.get(), found, 0);
    here_.fd_ = std::make_shared<const Descriptor>(std::move(folder));
    here_.status_ = found;
  }

  const Rights rights_;
  OutputFolder here_;
  std::string rest_;
  int links_ = 0;
  bool place_found_ = false;
};

}  // namespace detail

inline std::string reason(int error) { return std::generic_category().message(error); }

inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// [any] Why a path cannot be opened, with the fix where there is one.
inline Error cannot_open(const std::string& path, const Opening& failed) {
  const std::string text = "cannot open " + path + ": ";
  if (!failed.refusal.empty()) return {Code::refused, text + failed.refusal};
  switch (failed.error) {
    case ENOENT:
    case ENOTDIR: return {Code::not_found, text + "there is no such folder; create " + folder_of(path)};
    case EISDIR: return {Code::invalid, text + "it is a folder; name a file in it"};
    case EACCES:
    case EPERM:
      return {Code::refused, text + reason(failed.error) + "; let uid " + std::to_string(geteuid()) +
                                 " read and write it and its folder " + folder_of(path)};
    case EROFS: return {Code::refused, text + reason(failed.error) + "; name a file elsewhere"};
    default: return {Code::io, text + reason(failed.error)};
  }
}

// [any] Finds the folder and the name in it; what stands there is not opened, and need not be there.
inline Result<OutputPlace> find_output(const std::string& path, Rights rights = Rights::starting) {
  OutputPlace place;
  const Opening failed = detail::OutputWalk(rights).find(path, place);
  if (failed.error != 0) return cannot_open(path, failed);
  return place;
}

// [any] The first link on the way to what the path leads to that is not root's, as a path from the root on; empty:
// none.
inline std::string find_users_link(const std::string& path) {
  detail::OutputWalk walk(Rights::own);
  OutputPlace place;
  (void)walk.find(path, place);
  return walk.users_link();
}

// [any] The folder itself, by the same rules.
inline Result<OutputFolder> find_output_folder(const std::string& path, Rights rights = Rights::starting) {
  OutputFolder folder;
  const Opening failed = detail::OutputWalk(rights).enter(path, folder);
  if (failed.error != 0) return cannot_open(path + "/.", failed);
  return folder;
}

}  // namespace nfbus::util
