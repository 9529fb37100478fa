// Shortens JSON text that is too long for a line.
#pragma once

#include "formats/text_buffer.hpp"

#include <cstddef>

namespace nfbus::host::json {

// `out` ends with a JSON object or array that begins at `begin`: leaves out members and elements from its end, whole
// ones of it and of what it directly holds, until it has at most max_bytes. The result is JSON again; what stays is as
// it was. Does nothing when it is short enough, or when max_bytes has no room for an empty one (2 bytes).
void cut(TextBuffer& out, std::size_t begin, std::size_t max_bytes);

}  // namespace nfbus::host::json
