// Small text files, whole: the configuration and secrets.
#pragma once

#include "support/read_error.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <string>

namespace nfbus::host {

// [control] The content of a regular file of at most `most_bytes`. Never waits (a FIFO is refused). Errors, without a
// place: not_found, refused (permission), invalid (a directory, a device, too large), io. Their texts do not name the
// file: the caller's place or sentence does.
Result<std::string> read_file(const std::string& file, std::size_t most_bytes);
// The same of one that is open.
Result<std::string> read_descriptor(int descriptor, std::size_t most_bytes);

}  // namespace nfbus::host
