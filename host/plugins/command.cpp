#include "plugins/command.hpp"

#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"
#include "plugins/options.hpp"

#include <nfbus/text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace nfbus::host {

namespace {

// Instances in the form of the ABI.
class GivenInstances {
 public:
  explicit GivenInstances(const SharedServices& shared) : shared_(shared) {}

  [[nodiscard]] Result<void> add(const ConfiguredInstance& instance) {
    const nfbus_plugin& plugin = *instance.plugin->entry;
    auto options = GivenOptions::parse(instance.options_json);
    if (!options) return options.error();
    const std::string whole_name = fmt::format("{}.{}", kind_name(plugin.plugin_kind), instance.name);
    auto services = std::make_unique<InstanceServices>(whole_name, instance.name, shared_);
    if (auto opened = services->open_privileged_part(plugin, instance.options_json); !opened) {
      Error error = std::move(opened).error();
      error.text = fmt::format("{}: {}", whole_name, error.text);
      return error;
    }
    options_.push_back(std::move(options).value());
    configured_.push_back({.struct_size = sizeof(nfbus_configured),
                           .plugin_kind = plugin.plugin_kind,
                           .plugin = plugin.name,
                           .name = to_text(instance.name),
                           .options = nullptr,
                           .host = services->abi()});
    services_.push_back(std::move(services));
    return {};
  }

  // Valid until the next add().
  [[nodiscard]] const std::vector<const nfbus_configured*>& abi() {
    items_.clear();
    for (std::size_t i = 0; i < configured_.size(); ++i) {
      configured_[i].options = &options_[i].abi();
      items_.push_back(&configured_[i]);
    }
    return items_;
  }

 private:
  const SharedServices& shared_;
  std::vector<std::unique_ptr<InstanceServices>> services_;
  std::vector<GivenOptions> options_;
  std::vector<nfbus_configured> configured_;
  std::vector<const nfbus_configured*> items_;
};

}  // namespace

std::vector<PluginCommand> find_commands(const PluginRegistry& registry, std::string_view name) {
  std::vector<PluginCommand> found;
  for (const Plugin& plugin : registry.plugins()) {
    // Plugins of one library may share their commands.
    const bool library_has_one = std::ranges::any_of(
        found, [&](const PluginCommand& command) { return command.plugin->library == plugin.library; });
    if (library_has_one) continue;
    for (const nfbus_command* command : commands_of(*plugin.entry)) {
      if (plugin_view(command->name) != name) continue;
      found.push_back({.entry = command, .plugin = &plugin});
      break;
    }
  }
  return found;
}

std::vector<std::string> command_names(const PluginRegistry& registry) {
  std::vector<std::string> names;
  for (const Plugin& plugin : registry.plugins()) {
    for (const nfbus_command* command : commands_of(*plugin.entry)) names.emplace_back(plugin_view(command->name));
  }
  return names;
}

Result<int> run_plugin_command(const PluginCommand& command, std::span<const std::string> arguments,
                               std::span<const ConfiguredInstance> instances, const SharedServices& shared) {
  const std::string name(plugin_view(command.entry->name));
  GivenInstances given(shared);
  for (const ConfiguredInstance& instance : instances) {
    if (instance.plugin->library != command.plugin->library) continue;
    if (auto added = given.add(instance); !added) return added.error();
  }
  std::vector<const char*> words;
  words.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) words.push_back(argument.c_str());
  words.push_back(nullptr);  // beyond the count, for those who read it as main() would
  const auto& items = given.abi();
  const nfbus_command_call call = {.struct_size = sizeof(nfbus_command_call),
                                   .argument_count = static_cast<std::uint32_t>(arguments.size()),
                                   .arguments = words.data(),
                                   .instances = items.data(),
                                   .instance_count = static_cast<std::uint32_t>(items.size()),
                                   .reserved = 0};
  const InstanceServices services(name, name, shared);
  nfbus_error error{};
  std::int32_t exit_status = 0;
  const std::uint32_t status = call_plugin({name, "run"}, error, [&] {
    exit_status = command.entry->run(services.abi(), &call);
    return NFBUS_OK;
  });
  if (status != NFBUS_OK) return Error{.code = Code::io, .text = fmt::format("{}: {}", name, text_of(error))};
  constexpr std::int32_t kMost = 255;
  if (exit_status < 0 || exit_status > kMost) {
    return Error{.code = Code::io,
                 .text = fmt::format("{}: it returned {}, which is no exit status (0 to 255)", name, exit_status)};
  }
  return exit_status;
}

}  // namespace nfbus::host
