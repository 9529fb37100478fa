// How commands that run plugins' code begin: the rights that root gives up, the plugins, the configuration.
#pragma once

#include "config/config_file.hpp"
#include "config/load.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/registry.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host {

enum class Parts : std::uint8_t { none = 1, started = 2 };

struct FoundPlugins {
  ConfigFile file;
  EarlyConfig early;
  std::vector<Error> mistakes;  // why root must not start what stands in the file: then no plugin was loaded
  PluginRegistry plugins;
  PrivilegedParts parts;
};

// [control] Reads of the configuration what must be known before any plugin's code runs, gives up root's rights as
// `run` does, and loads the plugins; after their privileged parts are started, where that is asked for. Errors: the
// rights could not be given up.
[[nodiscard]] Result<FoundPlugins> find_plugins(const std::string& config_file, Parts wanted);

// [control] All mistakes of the configuration, those included that only its plugins know.
[[nodiscard]] LoadedConfig check_config(const FoundPlugins& found);

// [control] Logs which plugins were refused, and why.
void warn_of_refused(const PluginRegistry& registry);

}  // namespace nfbus::host
