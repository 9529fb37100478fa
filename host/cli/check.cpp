#include "cli/commands.hpp"
#include "config/load.hpp"
#include "plugins/registry.hpp"

#include <fmt/core.h>

#include <cstdio>

namespace nfbus::host {

int check_command(const std::string& config_file) {
  const LoadedConfig loaded =
      load_config(config_file, PluginRegistry::scan(read_early_config(config_file).plugin_folders), {});
  for (const Error& error : loaded.errors) fmt::print("{}\n", to_string(error));
  if (!loaded.errors.empty()) return exit_status::kConfig;
  const Config& config = loaded.config;
  fmt::print("{}: ok ({} captures, {} filters, {} sinks)\n", config_file, config.captures.size(), config.filters.size(),
             config.sinks.size());
  return exit_status::kDone;
}

}  // namespace nfbus::host
