// Finds which fields the configured filters may add to events.
#pragma once

#include "match/known_fields.hpp"
#include "plugins/registry.hpp"

#include <string>
#include <vector>

namespace nfbus::host {

// [control] Returns what matches may ask for when these plugins filter, by their entries' `annotates`. A plugin that
// does not say, or that is not in the registry, may add any.
[[nodiscard]] KnownFields annotations_of(const PluginRegistry& registry, const std::vector<std::string>& plugin_names);

}  // namespace nfbus::host
