#include "cli/commands.hpp"
#include "cli/host.hpp"
#include "config/load.hpp"
#include "plugins/registry.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <utility>
#include <vector>

namespace nfbus::host {

int check_command(const std::string& config_file) {
  PluginRegistry plugins = PluginRegistry::scan(read_early_config(config_file).plugin_folders);
  const LoadedConfig loaded = load_config(config_file, plugins, {});
  const Config& config = loaded.config;
  std::vector<Error> mistakes = loaded.errors;
  // What only the plugins themselves know.
  if (mistakes.empty()) mistakes = Host(config, std::move(plugins)).create();
  for (const Error& mistake : mistakes) fmt::print("{}\n", to_string(mistake));
  if (!mistakes.empty()) return exit_status::kConfig;
  fmt::print("{}: ok ({} captures, {} filters, {} sinks)\n", config_file, config.captures.size(), config.filters.size(),
             config.sinks.size());
  return exit_status::kDone;
}

}  // namespace nfbus::host
