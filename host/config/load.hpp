// Reading a configuration file: every mistake in one run, each with its place.
#pragma once

#include "config/config.hpp"
#include "plugins/registry.hpp"

#include <functional>
#include <string>
#include <vector>

namespace nfbus::host {

struct LoadOptions {
  bool replay = false;  // --replay was given: captures and sinks may both be missing
};

struct LoadedConfig {
  Config config;
  std::vector<Error> errors;  // all of them, in the order of the file; empty: the configuration is good
};

// Reads only what is needed to find plugins: [host] plugin_dirs. An unreadable or unparsable file gives none; load()
// then reports why.
[[nodiscard]] std::vector<std::string> read_plugin_dirs(const std::string& file);

// [control] Reads and checks `file`, plugins' own keys against the schemas of `plugins`. Starts nothing.
[[nodiscard]] LoadedConfig load_config(const std::string& file, const PluginRegistry& plugins,
                                       const LoadOptions& options);

}  // namespace nfbus::host
