// `nfbus WORD ...`: a command that a plugin brings.
#include "cli/checked_config.hpp"
#include "cli/commands.hpp"
#include "formats/format.hpp"
#include "plugins/command.hpp"
#include "running/pieces.hpp"
#include "support/log.hpp"
#include "support/suggest.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

int fail(const std::vector<Error>& mistakes) {
  for (const Error& mistake : mistakes) log::error(to_string(mistake));
  return exit_status::kConfig;
}

int say_unknown(const PluginCommandOptions& options, const PluginRegistry& plugins) {
  // Perhaps it is the command of one of these.
  warn_of_refused(plugins);
  const std::string& word = options.words.front();
  std::vector<std::string> names = options.own_commands;
  for (std::string& name : command_names(plugins)) names.push_back(std::move(name));
  log::error(fmt::format("there is no command \"{}\"{}; see nfbus --help", word, did_you_mean(word, names)));
  return exit_status::kUsage;
}

std::vector<ConfiguredInstance> instances_of(const Config& config, const PluginRegistry& plugins) {
  std::vector<ConfiguredInstance> instances;
  const auto add = [&](const PluginConfig& configured) {
    instances.push_back(
        {.plugin = plugins.find(configured.plugin), .name = configured.name, .options_json = configured.options_json});
  };
  for (const SinkConfig& sink : config.sinks) add(sink);
  for (const FilterConfig& filter : config.filters) add(filter);
  for (const PluginConfig& source : config.sources) add(source);
  return instances;
}

int run_it(const PluginCommand& command, const PluginCommandOptions& options, const Config& config,
           const PluginRegistry& plugins, PrivilegedParts& parts) {
  const FormatSet formats(config.host.device);
  const SharedServices services = services_at_rest(formats, config, plugins, &parts);
  log::set_level(log::Level::info);
  const auto status = run_plugin_command(command, options.words, instances_of(config, plugins), services);
  if (status) return *status;
  log::error(to_string(status.error()));
  return exit_status::kFailed;
}

}  // namespace

CommandWords split_words(std::span<char* const> arguments) {
  CommandWords split;
  bool all_words = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    constexpr std::string_view kWithValue = "--config=";
    const std::string_view argument = arguments[i];
    const bool is_config = !all_words && (argument == "-c" || argument == "--config");
    if (is_config && i + 1 < arguments.size()) {
      split.config_files.emplace_back(arguments[++i]);
    } else if (is_config) {
      split.lacks_value = true;
    } else if (!all_words && argument.starts_with(kWithValue)) {
      split.config_files.emplace_back(argument.substr(kWithValue.size()));
    } else {
      // What stands behind it is the command's, whatever it looks like.
      all_words = all_words || argument == "--";
      split.words.emplace_back(argument);
    }
  }
  return split;
}

int plugin_command(const PluginCommandOptions& options) {
  log::set_level(log::Level::warning);
  auto found = find_plugins(options.config_file, Parts::started);
  if (!found) {
    log::error(to_string(found.error()));
    return exit_status::kFailed;
  }
  if (options.config_given && !found->file.text) return fail({found->file.text.error()});
  if (!found->mistakes.empty()) return fail(found->mistakes);
  const std::vector<PluginCommand> commands = find_commands(found->plugins, options.words.front());
  if (commands.empty()) return say_unknown(options, found->plugins);
  for (const PluginCommand& other : std::span(commands).subspan(1)) {
    log::warning(fmt::format("{} brings a command \"{}\", too: the one of {} runs", other.plugin->file.string(),
                             options.words.front(), commands.front().plugin->file.string()));
  }
  LoadedConfig loaded;
  const bool has_config = found->file.text || found->file.text.error().code != Code::not_found;
  if (has_config) loaded = check_config(*found);
  if (!loaded.errors.empty()) return fail(loaded.errors);
  return run_it(commands.front(), options, loaded.config, found->plugins, found->parts);
}

}  // namespace nfbus::host
