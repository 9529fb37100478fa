// How `run` and `check` use root's rights, and give them up.
#pragma once

#include "config/config_file.hpp"
#include "config/load.hpp"
#include "plugins/registry.hpp"

#include <nfbus/result.hpp>

#include <string>

namespace nfbus::host {

// [control] Whether root's rights may be used at all while the host starts: nobody but root can write the
// configuration, which says what is opened, or a plugin.
[[nodiscard]] bool may_use_roots_rights(const ConfigFile& file, const EarlyConfig& early);

// [control] The host's first move down, and at once the second one where root's rights may not be used. To be called
// before any plugin is loaded and any thread exists.
Result<void> step_down(const EarlyConfig& early, bool may_use_roots_rights);

// [control] The plugins that the configuration names; their folders may be open to root alone.
[[nodiscard]] PluginRegistry scan_plugins(const EarlyConfig& early);

// [control] Whether a file named on the command line is the one that root meant: no link and no second name that
// somebody else may have made leads to it.
[[nodiscard]] bool is_named_by_root(const std::string& path);

}  // namespace nfbus::host
