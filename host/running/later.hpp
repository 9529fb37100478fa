// Finds what works at the start and will not later, when the host has only the rights of its user.
#pragma once

#include "config/config_file.hpp"
#include "config/load.hpp"

#include <nfbus/result.hpp>

#include <vector>

namespace nfbus::host {

// [control] Judges with the rights of the effective user alone, whatever capability is permitted: rotating and opening
// outputs anew, reading the configuration, secrets and plugins for a reload (a replay has none), removing the socket.
// Each with its place and the command that mends it. Changes nothing.
std::vector<Error> later_trouble(const ConfigFile& file, const EarlyConfig& early,
                                 const std::vector<UsedPath>& used_paths, bool replay);

}  // namespace nfbus::host
