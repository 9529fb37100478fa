// Standard output, for what is not a log.
#pragma once

#include <string_view>

namespace nfbus::host {

// Writes all of it, however long that takes; false: nobody reads standard output any more.
bool write_out(std::string_view text) noexcept;

}  // namespace nfbus::host
