// A command that a plugin brings: found among the libraries, and run behind the barrier.
#pragma once

#include "plugins/instance.hpp"
#include "plugins/registry.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

struct PluginCommand {
  const nfbus_command* entry;  // as long as the process
  const Plugin* plugin;        // that brings it; the registry's
};

// An instance in the configuration, for the commands of its library.
struct ConfiguredInstance {
  const Plugin* plugin;
  std::string name;          // "archive" for [sink.archive]
  std::string options_json;  // checked, with defaults
};

// [control] All commands with this name, one of each library, in the order of the registry.
[[nodiscard]] std::vector<PluginCommand> find_commands(const PluginRegistry& registry, std::string_view name);

// [control] The names of all commands, for suggestions.
[[nodiscard]] std::vector<std::string> command_names(const PluginRegistry& registry);

// [control] Runs it. arguments: the first is its name. instances: of any plugin; the command gets those of its library.
// Returns what it returned. Errors: an exception, and a status that is no exit status (0 to 255).
[[nodiscard]] Result<int> run_plugin_command(const PluginCommand& command, std::span<const std::string> arguments,
                                             std::span<const ConfiguredInstance> instances,
                                             const SharedServices& shared);

}  // namespace nfbus::host
