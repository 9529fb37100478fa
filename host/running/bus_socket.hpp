// The socket of `nfbus run`, made before privileges go.
#pragma once

#include "bus/server/listener.hpp"
#include "config/config_file.hpp"
#include "config/load.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <optional>

namespace nfbus::host {

// [control] Returns whether the socket is to be made before privileges go: root alone chose its place, or it is the
// default one, and nobody but root and `user` can make that another one. Else it is to be made as that user.
[[nodiscard]] bool is_socket_by_root(const ConfigFile& file, const EarlyConfig& config, uid_t user);

// [control] Opens what [bus] asks for. Without [bus] the default socket is served if it can be; a line says so if not.
// Empty: none is served. A replay without [bus] has none. Call before any thread exists.
Result<std::optional<Listener>> open_bus_socket(const EarlyConfig& config, bool replay);

}  // namespace nfbus::host
