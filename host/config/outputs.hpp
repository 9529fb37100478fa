// Tells which file an output is, so that two sinks do not write to one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace nfbus::host {

// Identifies what a path leads to now, however it is spelled: through links, hard links, `..` or a second mount.
struct OutputIdentity {
  using Inode = std::pair<std::uint64_t, std::uint64_t>;  // device, inode; 0, 0: none

  std::string path;  // without links, as far as it exists
  std::string name;  // its last part
  Inode folder;      // that it is in
  Inode file;        // the file itself
  bool is_stdout = false;
};

// [control] Of a file, or of what would be one; of a FIFO, a device and "-", to which several may write: an empty path.
[[nodiscard]] OutputIdentity identify_output(const std::string& path);

// [any] False for outputs that several may write to.
[[nodiscard]] bool are_same_output(const OutputIdentity& a, const OutputIdentity& b) noexcept;
// [any] Of one FIFO, or standard output.
[[nodiscard]] bool are_same_stream(const OutputIdentity& a, const OutputIdentity& b) noexcept;

}  // namespace nfbus::host
