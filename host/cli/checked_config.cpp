#include "cli/checked_config.hpp"

#include "privileged/helper.hpp"
#include "running/pieces.hpp"
#include "running/way_down.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace nfbus::host {

Result<FoundPlugins> find_plugins(const std::string& config_file, Parts wanted) {
  ConfigFile file = read_config_file(config_file, ::geteuid() == 0);
  EarlyConfig early = read_early_config(file);
  std::vector<Error> mistakes = distrust(file, account_to_become(early.user).uid);
  PluginRegistry plugins;
  PrivilegedParts parts;
  if (mistakes.empty()) {
    const bool with_roots_rights = may_use_roots_rights(file, early);
    if (wanted == Parts::started) parts = start_privileged_parts(early, with_roots_rights);
    // To look at a plugin is to run its code.
    if (auto stepped = step_down(early, with_roots_rights); !stepped) return stepped.error();
    plugins = PluginRegistry::scan(early.plugin_folders);
  }
  return FoundPlugins{.file = std::move(file),
                      .early = std::move(early),
                      .mistakes = std::move(mistakes),
                      .plugins = std::move(plugins),
                      .parts = std::move(parts)};
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
