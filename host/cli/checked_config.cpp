#include "cli/checked_config.hpp"

#include "privileged/helper.hpp"
#include "running/pieces.hpp"
#include "running/way_down.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace nfbus::host {

Result<FoundPlugins> find_plugins(const std::string& config_file) {
  ConfigFile file = read_config_file(config_file, ::geteuid() == 0);
  EarlyConfig early = read_early_config(file);
  std::vector<Error> mistakes = distrust(file, uid_to_become(early.user));
  PluginRegistry plugins;
  if (mistakes.empty()) {
    // To look at a plugin is to run its code.
    if (auto stepped = step_down(early, may_use_roots_rights(file, early)); !stepped) return stepped.error();
    plugins = PluginRegistry::scan(early.plugin_folders);
  }
  return FoundPlugins{.file = std::move(file),
                      .early = std::move(early),
                      .mistakes = std::move(mistakes),
                      .plugins = std::move(plugins)};
}

LoadedConfig check_config(const FoundPlugins& found) {
  LoadedConfig loaded;
  if (!found.mistakes.empty()) {
    loaded.errors = found.mistakes;
    return loaded;
  }
  loaded = load_config(found.file, found.plugins, {});
  // What only the plugins themselves know.
  if (loaded.errors.empty()) loaded.errors = try_pieces(loaded.config, found.plugins);
  return loaded;
}

void warn_of_refused(const PluginRegistry& registry) {
  for (const RefusedPlugin& refused : registry.refused()) {
    log::warning(fmt::format("{}: {}", refused.file.string(), refused.error.text));
  }
}

}  // namespace nfbus::host
