#include "cli/checked_config.hpp"
#include "cli/commands.hpp"
#include "plugins/handshake.hpp"
#include "plugins/registry.hpp"
#include "schema/schema.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "support/suggest.hpp"
#include "support/table.hpp"

#include <nfbus/text.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

using Row = std::vector<std::string>;

void print_table(std::vector<Row> rows) { fmt::print("{}", table_text(std::move(rows))); }

Row plugin_row(const Plugin& plugin) {
  const nfbus_plugin& entry = *plugin.entry;
  return {std::string(to_view(entry.name)),
          std::string(kind_name(entry.plugin_kind)),
          std::string(to_view(entry.version)),
          fmt::format("{}.{}", plugin.library->abi_major, plugin.library->abi_minor),
          plugin.file.string(),
          std::string(to_view(entry.summary))};
}

Row option_row(const SchemaOption& option) {
  std::string value;
  if (option.required) value = "required";
  if (!option.default_value.empty()) value = "default " + option.default_value;
  Row notes;
  if (option.deprecated) notes.emplace_back("deprecated");
  if (!option.unit.empty()) notes.push_back("in " + option.unit);
  if (!option.allowed.empty()) notes.push_back(option.allowed);
  if (option.secret)
    notes.push_back(fmt::format(R"(a secret: {0}_file = "PATH" or {0} = "${{VARIABLE}}")", option.name));
  if (option.path) notes.emplace_back("relative to the configuration's folder");
  if (!option.description.empty()) notes.push_back(option.description);
  std::string all_notes;
  for (const std::string& note : notes) all_notes += (all_notes.empty() ? "" : "; ") + note;
  return {option.name, option.type, std::move(value), std::move(all_notes)};
}

void show_options(const Plugin& plugin) {
  print_table({plugin_row(plugin)});
  const std::vector<SchemaOption> options =
      describe_schema(std::string_view(plugin.entry->schema.data, plugin.entry->schema.size));
  if (options.empty()) fmt::print("it has no options of its own\n");
  std::vector<Row> rows;
  rows.reserve(options.size());
  for (const SchemaOption& option : options) rows.push_back(option_row(option));
  print_table(rows);
  std::string fields;
  for (const nfbus_text& name : annotates(*plugin.entry))
    fields += (fields.empty() ? "" : ", ") + printable(to_view(name));
  if (!fields.empty()) fmt::print("it adds the fields {}\n", fields);
  if ((plugin.entry->flags & NFBUS_HAS_PRIVILEGED_PART) != 0) {
    fmt::print("it has a privileged part, {}.privileged.so, which runs with CAP_NET_ADMIN\n",
               printable(to_view(plugin.entry->name)));
  }
  for (const nfbus_command* command : commands_of(*plugin.entry)) {
    fmt::print("it has the command nfbus {}: {}\n", printable(to_view(command->name)),
               printable(to_view(command->summary)));
  }
}

}  // namespace

int plugins_command(const PluginsOptions& options) {
  log::set_level(log::Level::warning);
  const auto found = find_plugins(options.config_file, Parts::none);
  if (!found) {
    log::error(to_string(found.error()));
    return exit_status::kFailed;
  }
  if (options.config_given && !found->file.text) {
    log::error(to_string(found->file.text.error()));
    return exit_status::kConfig;
  }
  for (const Error& mistake : found->mistakes) log::error(to_string(mistake));
  if (!found->mistakes.empty()) return exit_status::kConfig;
  const PluginRegistry& registry = found->plugins;

  if (options.name) {
    if (const Plugin* plugin = registry.find(*options.name); plugin != nullptr) {
      show_options(*plugin);
      return exit_status::kDone;
    }
    warn_of_refused(registry);
    std::vector<std::string> names;
    for (const Plugin& plugin : registry.plugins()) names.emplace_back(to_view(plugin.entry->name));
    log::error(fmt::format("there is no plugin \"{}\"{}", *options.name, did_you_mean(*options.name, names)));
    return exit_status::kFailed;
  }

  std::vector<Row> rows;
  for (const Plugin& plugin : registry.plugins()) rows.push_back(plugin_row(plugin));
  std::ranges::sort(rows);
  print_table(rows);
  warn_of_refused(registry);
  return exit_status::kDone;
}

}  // namespace nfbus::host
