// Files that one sink alone writes to.
#pragma once

#include "output.hpp"

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/output_lock.hpp>
#include <nfbus/util/output_place.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

namespace output {

inline nfbus::Error replaced_meanwhile(const std::string& path) {
  return {nfbus::Code::busy, "cannot open " + path + ": somebody replaced it at that moment"};
}

// Opens or makes the file at the place, to which the path leads, and locks it against other sinks until it is closed.
// What is no regular file is opened as it is, without a lock. found: of what was opened.
inline nfbus::Result<nfbus::util::Descriptor> open_locked(const nfbus::util::OutputPlace& place,
                                                          const std::string& path, int flags,
                                                          nfbus::util::OutputLock& lock, struct stat& found) {
  if (std::optional<nfbus::Error> held = lock.waits(path)) return *std::move(held);
  nfbus::util::Opening opened = place.open_or_make(flags);
  if (!opened.fd.valid()) return nfbus::util::cannot_open(path, opened);
  if (fstat(opened.fd.get(), &found) != 0) {
    return nfbus::util::cannot_open(path, {.fd = {}, .error = errno, .refusal = {}});
  }
  if (!S_ISREG(found.st_mode)) return std::move(opened.fd);
  if (nfbus::Result<void> locked = lock.take(opened.fd, path); !locked.ok()) return std::move(locked).error();
  // What was there before the lock may have been renamed or removed by then.
  if (leads_elsewhere(opened.fd.get(), path) || fstat(opened.fd.get(), &found) != 0) return replaced_meanwhile(path);
  return std::move(opened.fd);
}

}  // namespace output
