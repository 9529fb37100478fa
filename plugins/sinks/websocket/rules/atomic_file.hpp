// Small files that are read and replaced as a whole.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rules {

// Tells one state of a file from another.
struct FileVersion {
  std::int64_t changed_ns = 0;  // mtime
  std::int64_t status_ns = 0;   // ctime, which no program can set back
  std::uint64_t size_bytes = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};

struct FileText {
  FileVersion version = {};
  std::string text = {};
};

// [any] Returns what is at the path; nothing: there is no file, or nobody may look.
[[nodiscard]] std::optional<FileVersion> look_at(const std::string& path);

// [any] Reads it. Code::not_found: it is not there. Other errors say what is wrong, with the fix: it is longer, no
// regular file, or must not be read.
[[nodiscard]] nfbus::Result<FileText> read_whole(const std::string& path, std::size_t most_bytes);

// [any] Puts the text in its place in one step, on the disk when this returns: those who read it find what was there,
// or this. Keeps the permissions, and the owner and group as far as it may; a new file has the mode 0640. A link is
// followed. over: nothing is written, and Code::busy returned, when another version is there by now; none: no file.
[[nodiscard]] nfbus::Result<FileVersion> replace_whole(const std::string& path, std::string_view text,
                                                       const std::optional<FileVersion>& over);
// The same, over whatever is there.
[[nodiscard]] nfbus::Result<void> replace_whole(const std::string& path, std::string_view text);

// [any] Keeps others that ask for this lock, of this process, too, from changing a file in the folder of the path,
// until what is returned is closed. Waits for at most half a second; Code::busy: somebody held it all the time. Nothing
// is held where there is no such folder, or no locks.
[[nodiscard]] nfbus::Result<nfbus::util::Descriptor> lock_beside(const std::string& path);

// [any] Makes whoever calls it the one writer of the file at the path until what is returned is closed, by a lock on
// PATH.lock, which stays: the file itself is another one after each change. Code::busy names who has it. Nothing is
// held where PATH.lock cannot be made.
[[nodiscard]] nfbus::Result<nfbus::util::Descriptor> claim(const std::string& path);

// [any] Renames it to PATH.broken, over what was so before. False: that failed.
bool set_aside(const std::string& path);

}  // namespace rules
