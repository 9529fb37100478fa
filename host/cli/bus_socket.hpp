// The socket of `nfbus run`, made before privileges go.
#pragma once

#include "bus/server/listener.hpp"
#include "config/load.hpp"

#include <nfbus/result.hpp>

#include <optional>

namespace nfbus::host {

// [control] What [bus] asks for. Without [bus] the default socket is served if it can be; a line says so if not. Empty:
// none is served. A replay without [bus] has none. Call as the user who started nfbus, before any thread exists.
Result<std::optional<Listener>> open_bus_socket(const EarlyConfig& config, bool replay);

}  // namespace nfbus::host
