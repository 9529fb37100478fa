#include "cli/commands.hpp"
#include "config/load.hpp"
#include "plugins/registry.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <vector>

namespace nfbus::host {

int check_command(const std::string& config_file) {
  std::vector<std::filesystem::path> folders = {builtin_plugin_folder()};
  for (std::string& folder : read_plugin_dirs(config_file)) folders.emplace_back(std::move(folder));
  const LoadedConfig loaded = load_config(config_file, PluginRegistry::scan(folders), {});
  for (const Error& error : loaded.errors) fmt::print("{}\n", to_string(error));
  if (!loaded.errors.empty()) return exit_status::kConfig;
  const Config& config = loaded.config;
  fmt::print("{}: ok ({} captures, {} filters, {} sinks)\n", config_file, config.captures.size(), config.filters.size(),
             config.sinks.size());
  return exit_status::kDone;
}

}  // namespace nfbus::host
