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
};

// Thread safety: as a const object.
class Way {
 public:
  // [control] Walks from the root, each step from the one before, so that what was looked at is what is opened; a
  // relative path starts at the working directory. Links are followed, whoever made them: faults() and planted() tell.
  // Where the host starts as root, folders and files that root alone can change are passed and opened with its rights,
  // all else with those of the effective user. Never waits. Errors as of read_file().
  static Result<Way> to_file(const std::string& path);
  // With root's rights, too, where one user and root alone can change what is there, and the file is that user's: it
  // shows nothing that he could not read.
  static Result<Way> to_file_of_anyone(const std::string& path);
  static Result<Way> to_folder(const std::string& path);

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

  // Each reason why others than root and `user` could change it, with the command that mends it.
  [[nodiscard]] std::vector<std::string> faults(uid_t user) const;
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
  [[nodiscard]] std::optional<std::string> planted_at(const WayStep& step, uid_t user) const;

  std::vector<WayStep> steps_;  // from "/" on; at least that
  Descriptor end_;
};

}  // namespace nfbus::host
