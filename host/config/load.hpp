// Reading a configuration file: every mistake in one run, each with its place.
#pragma once

#include "config/config.hpp"
#include "config/config_file.hpp"
#include "config/paths.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/registry.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nfbus::host {

struct LoadOptions {
  bool replay = false;  // --replay was given: captures and sinks may both be missing
};

struct LoadedConfig {
  Config config;
  std::vector<Error> errors;    // all of them, in the order of the file; empty: the configuration is good
  std::vector<Error> warnings;  // what works, but is deprecated or can hardly be meant
  std::vector<UsedPath> used_paths;
};

// Reads what must be known before any plugin's code runs: whom the host becomes, where plugins are, which of them may
// have a privileged part, and the socket, which is made while it can still be given away.
struct EarlyConfig {
  std::string user = defaults::kUser;
  bool user_given = false;
  std::vector<std::filesystem::path> plugin_folders;  // the built-in one, then those of the file
  bool has_bus = false;                               // there is a [bus]
  std::string bus_socket = defaults::kBusSocket;
  std::string bus_group;  // empty: none was named
  std::vector<NamedInstance> instances;
};

// [control] Reads only that. What is missing or wrong in the file has its default; load_config() reports why.
[[nodiscard]] EarlyConfig read_early_config(const ConfigFile& file);

// [control] Checks `file`, plugins' own keys against the schemas of `plugins`, and reads secrets. Starts nothing.
[[nodiscard]] LoadedConfig load_config(const ConfigFile& file, const PluginRegistry& plugins,
                                       const LoadOptions& options);

}  // namespace nfbus::host
