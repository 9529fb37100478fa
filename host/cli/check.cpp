#include "cli/commands.hpp"
#include "config/load.hpp"
#include "plugins/registry.hpp"
#include "privileged/helper.hpp"
#include "running/later.hpp"
#include "running/pieces.hpp"
#include "running/way_down.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <utility>
#include <vector>

namespace nfbus::host {

int check_command(const std::string& config_file) {
  log::set_level(log::Level::warning);
  const ConfigFile file = read_config_file(config_file, ::geteuid() == 0);
  const EarlyConfig early = read_early_config(file);
  std::vector<Error> mistakes = distrust(file, uid_to_become(early.user));
  LoadedConfig loaded;
  std::vector<Error> warnings;
  if (mistakes.empty()) {
    // Judged by the rights that `run` has by then.
    if (auto stepped = step_down(early, may_use_roots_rights(file, early)); !stepped) {
      log::error(to_string(stepped.error()));
      return exit_status::kFailed;
    }
    const PluginRegistry plugins = PluginRegistry::scan(early.plugin_folders);
    loaded = load_config(file, plugins, {});
    mistakes = loaded.errors;
    warnings = loaded.warnings;
    // What only the plugins themselves know.
    if (mistakes.empty()) mistakes = try_pieces(loaded.config, plugins);
    if (mistakes.empty()) {
      for (Error& later : later_trouble(file, early, loaded.used_paths, false)) warnings.push_back(std::move(later));
    }
  }
  const Config& config = loaded.config;
  for (Error& warning : warnings) {
    warning.text = "warning: " + warning.text;
    fmt::print("{}\n", printable(to_string(warning)));
  }
  for (const Error& mistake : mistakes) fmt::print("{}\n", printable(to_string(mistake)));
  if (!mistakes.empty()) return exit_status::kConfig;
  fmt::print("{}: ok ({} captures, {} filters, {} sinks)\n", printable(config_file), config.captures.size(),
             config.filters.size(), config.sinks.size());
  return exit_status::kDone;
}

}  // namespace nfbus::host
