// Which files the host dares to run: the trust check of design section 9.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nfbus::host {

// [control] Whether all that would be loaded from these folders is root's, and not `user`'s to change, whom the host
// becomes: each of them, each *.so in them, and each folder and link on the way there. What does not exist or cannot be
// looked at counts as root's: nothing is loaded from there.
[[nodiscard]] bool are_roots_alone(const std::vector<std::filesystem::path>& folders, uid_t user);

// Tells a file, and what it holds, from others.
struct FileVersion {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;

  bool operator==(const FileVersion&) const = default;
  [[nodiscard]] bool is_same_file(const FileVersion& other) const noexcept {
    return device == other.device && inode == other.inode;
  }
};

// [any] Of an open file or folder; nothing: it cannot be looked at.
[[nodiscard]] std::optional<FileVersion> version_of(int descriptor) noexcept;

// A file or folder as it was when it was checked.
struct Trusted {
  Descriptor descriptor;
  FileVersion version;
  std::string path{};    // without links
  bool is_link = false;  // of a file: its name in the folder is one
};

// [control] Opens a plugin folder, under the rule of support/way.hpp: it, each folder above and each link on the way
// belong to root or to the effective user, and nobody else may write there; above it, a root-owned sticky folder (/tmp)
// will do. Links are followed one by one, and what they lead through is judged like the rest. The path is walked from
// the root by descriptors, so that what was checked is what is opened. Relative paths start at the working directory.
// While the host starts and CAP_DAC_OVERRIDE is permitted, what root alone can change is passed with it, and no owner
// but root will do. Code::not_found, Code::refused, whose text names what is wrong and the command that mends it, or
// Code::io.
[[nodiscard]] Result<Trusted> open_trusted_folder(const std::filesystem::path& folder);

// [control] Opens the regular file `name` of a folder that open_trusted_folder() gave, or what a link of that name
// leads to, under the same rule. The effective user must be able to read it without that capability.
[[nodiscard]] Result<Trusted> open_trusted_file(const Trusted& folder, const std::string& name);

}  // namespace nfbus::host
