#include "cli/way_down.hpp"

#include "config/way.hpp"
#include "plugins/trust.hpp"
#include "privileged/helper.hpp"

#include <nfbus/util/dac_override.hpp>

namespace nfbus::host {

bool may_use_roots_rights(const ConfigFile& file, const EarlyConfig& early) {
  return file.way && file.way->is_roots() && all_owned_by_root(early.plugin_folders);
}

Result<void> step_down(const EarlyConfig& early, bool may_use_roots_rights) {
  auto lowered = lower_privileges(early.user, early.user_given);
  // A user that does not exist is one of the mistakes that load_config() reports.
  if (!lowered && lowered.error().code == Code::not_found) lowered = lower_privileges(defaults::kUser, false);
  if (!lowered || may_use_roots_rights) return lowered;
  return drop_privileges();
}

PluginRegistry scan_plugins(const EarlyConfig& early) {
  const util::DacOverride as_root;
  return PluginRegistry::scan(early.plugin_folders);
}

bool is_named_by_root(const std::string& path) {
  const util::DacOverride as_root;
  const Result<Way> way = Way::to_file(path);
  return way && !way->planted(0);
}

}  // namespace nfbus::host
