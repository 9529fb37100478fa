// The way to a file or folder, step by step: who could change where it leads, or what is there. Design section 9.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

// Describes what was passed: a folder, a link, or the end itself.
struct WayStep {
  std::string path;
  uid_t owner;
  gid_t group;
  mode_t mode;
  nlink_t names;
  std::size_t folder;  // the step whose entry it is
  bool has_acl;        // asked for only where the group may write: an ACL that lets somebody write shows in its bit
  bool is_unmapped;    // its owner is nobody whom this namespace of users has
};

// Tells where a walk ended that came to no end, with the errno, if it was one: what is not there, or cannot be passed.
struct WayStop {
  std::string path;
  int error_number = 0;
  bool is_owned_by_root = false;  // all that was passed
};

// How faults() says it.
struct FaultWords {
  std::string not_theirs{};        // "not to root", behind "belongs to uid 4711, "
  std::string end{};               // the end's name, but in commands; empty: its path
  bool end_is_not_sticky = false;  // nor may others add something to the end, a folder
};

// Thread safety: as a const object.
class Way {
 public:
  // [control] Walks from the root, each step from the one before, so that what was looked at is what is opened; a
  // relative path starts at the working directory. Links are followed, whoever made them: faults() and planted() tell.
  // Where the host starts as root, folders and files that root alone can change are passed and opened with its rights,
  // all else with those of the effective user. Never waits. Errors as of read_file().
  static Result<Way> to_file(const std::string& path, WayStop* stop = nullptr);
  // With root's rights, too, where one user and root alone can change what is there, and the file is that user's: it
  // shows nothing that he could not read.
  static Result<Way> to_file_of_anyone(const std::string& path);
  static Result<Way> to_folder(const std::string& path, WayStop* stop = nullptr);

  // Of a file: open for reading, a regular one. Of a folder: O_PATH.
  [[nodiscard]] int descriptor() const noexcept { return end_.get(); }
  void close() noexcept { end_ = Descriptor(); }
  // The same descriptor, for the caller to keep.
  [[nodiscard]] Descriptor take() noexcept { return std::move(end_); }
  [[nodiscard]] const WayStep& end() const noexcept { return steps_.back(); }

  // Returns whether nobody but root can change what is there, or where the path leads.
  [[nodiscard]] bool is_roots() const { return is_roots_up_to(steps_.size()); }
  // The same but for the end.
  [[nodiscard]] bool is_roots_above() const { return is_roots_up_to(steps_.size() - 1); }

  // Returns whether all that was passed, and the end, belong to root, whoever else may write there.
  [[nodiscard]] bool is_owned_by_root() const;
  // Returns whether it went through a link such as /proc/self/fd/1, of whose target no folder was seen.
  [[nodiscard]] bool has_link_of_proc() const noexcept { return has_link_of_proc_; }

  // Each reason why others than root and `user` could change it, with the command that mends it. A group that has
  // nobody else in it, as of util::has_nobody_else(), may write. What belongs to none of this namespace's users counts
  // as root's, but in a folder that others may write to.
  [[nodiscard]] std::vector<std::string> faults(uid_t user) const;
  [[nodiscard]] std::vector<std::string> faults(uid_t user, const FaultWords& words) const;
  // Returns what others than root and `user` may have put in the way: a link, or one more name of a file.
  [[nodiscard]] std::optional<std::string> planted(uid_t user) const;

 private:
  friend class Walk;
  Way() = default;

  [[nodiscard]] bool is_roots_up_to(std::size_t count) const;
  // As far as the way goes by now: the rule of to_file_of_anyone().
  [[nodiscard]] bool is_of_one_user() const;
  // Returns whether others than root and `user` may put files into the folder that it is in, or take theirs out.
  [[nodiscard]] bool is_in_open_folder(const WayStep& step, uid_t user) const;
  [[nodiscard]] std::optional<std::string> planted_at(const WayStep& step, uid_t user, const FaultWords& words) const;
  [[nodiscard]] bool is_roots_own(const WayStep& step) const;
  [[nodiscard]] bool belongs_to(const WayStep& step, uid_t user) const;
  [[nodiscard]] bool keeps_apart(const WayStep& step) const;

  std::vector<WayStep> steps_;  // from "/" on; at least that
  bool has_link_of_proc_ = false;
  Descriptor end_;
};

}  // namespace nfbus::host
