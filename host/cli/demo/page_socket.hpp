// Where a browser of this machine finds the demo's page.
#pragma once

#include "support/descriptor.hpp"

#include <optional>

namespace nfbus::host::demo {

// [control] A socket that listens at 127.0.0.1, in the network that this process is in by now: at port 8787, or where
// that is taken at any. Nothing: there is no loopback; then there is no page.
[[nodiscard]] std::optional<Descriptor> open_page_socket();

}  // namespace nfbus::host::demo
