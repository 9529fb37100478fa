// Which files the host dares to run: the trust check of design section 9.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nfbus::host {

// Whether root alone can change what would be loaded from these folders: each of them, each folder above and each *.so
// in them belongs to root. What does not exist or cannot be looked at counts as root's: nothing is loaded from there.
// [control]
[[nodiscard]] bool all_owned_by_root(const std::vector<std::filesystem::path>& folders);

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
};

// [control] Opens a plugin folder. It and each folder above belong to root or to the effective user and are writable
// by nobody else; above it, a root-owned sticky folder (/tmp) will do. A symbolic link anywhere in the path is refused
// and named with its target. The path is walked from the root by descriptors, so that what was checked is what is
// opened. Relative paths start at the working directory. While the host starts and CAP_DAC_OVERRIDE is permitted, it is
// in effect in here, and no owner but root will do. Code::not_found, Code::refused or Code::io.
[[nodiscard]] Result<Trusted> open_trusted_folder(const std::filesystem::path& folder);

// [control] Opens the regular file `name` of a folder that open_trusted_folder() gave, under the same rule. The
// effective user must be able to read it without that capability.
[[nodiscard]] Result<Trusted> open_trusted_file(const Trusted& folder, const std::string& name);

}  // namespace nfbus::host
