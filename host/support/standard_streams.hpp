// Descriptors 0 to 2, which are nobody else's.
#pragma once

namespace nfbus::host {

// [control] Opens each of descriptors 0 to 2 that is closed to nowhere: else the next file or socket would get that
// number, and log lines or what a plugin prints would go into it. Call before anything is opened.
void fill_standard_streams() noexcept;

}  // namespace nfbus::host
