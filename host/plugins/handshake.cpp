#include "plugins/handshake.hpp"

#include "plugins/crossing.hpp"
#include "schema/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <utility>

namespace nfbus::host {

namespace {

// What the structs of a minor version cover: up to the end of their last field then.
struct Sizes {
  std::size_t library_bytes;
  std::size_t plugin_bytes;
  std::size_t shape_bytes;
  std::size_t sink_bytes;
  std::size_t filter_bytes;
  std::size_t source_bytes;
  std::size_t command_bytes;
  std::size_t privileged_bytes;
};
constexpr Sizes kSizes[] = {{.library_bytes = sizeof(nfbus_library),
                             .plugin_bytes = sizeof(nfbus_plugin),
                             .shape_bytes = sizeof(nfbus_shape),
                             .sink_bytes = sizeof(nfbus_sink),
                             .filter_bytes = sizeof(nfbus_filter),
                             .source_bytes = sizeof(nfbus_source),
                             .command_bytes = sizeof(nfbus_command),
                             .privileged_bytes = sizeof(nfbus_privileged)}};
static_assert(std::size(kSizes) == NFBUS_ABI_MINOR + 1);

// What a library says that it needs.
struct Version {
  std::uint16_t major;
  std::uint16_t minor;
};
Version version_of(const nfbus_library& library) noexcept { return {library.abi_major, library.abi_minor}; }

// Of a version that check_version() accepts.
const Sizes& sizes_of(const nfbus_library& library) noexcept { return kSizes[library.abi_minor]; }

constexpr std::uint32_t kKnownEventKinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
constexpr std::size_t kMaxNameBytes = 64;

Error invalid(std::string text) { return Error{.code = Code::invalid, .text = std::move(text)}; }

Result<void> check_version(Version version) {
  if (version.major != NFBUS_ABI_MAJOR) {
    return Error{.code = Code::unsupported,
                 .text = fmt::format("plugin speaks ABI {}.{}, this host {}.{}: rebuild it against sdk {}.x",
                                     version.major, version.minor, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR, NFBUS_ABI_MAJOR)};
  }
  if (version.minor > NFBUS_ABI_MINOR) {
    return Error{.code = Code::unsupported,
                 .text = fmt::format(
                     "plugin needs ABI {}.{}, this host has {}.{}: update nfbus, or build the plugin for sdk {}.{} "
                     "(NFBUS_ABI_TARGET_MINOR)",
                     version.major, version.minor, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR)};
  }
  return {};
}

Result<void> check_size(std::string_view type, std::size_t has_bytes, std::size_t needs_bytes, Version version) {
  if (has_bytes >= needs_bytes) return {};
  return invalid(fmt::format(
      "its {0} says struct_size {1}, ABI {2}.{3} of this host needs {4} or more: set it to sizeof({0}) and rebuild",
      type, has_bytes, version.major, version.minor, needs_bytes));
}

Error null_table(std::string_view kind) {
  return invalid(fmt::format("it is a {0}, but its `{0}` is null: point it to an nfbus_{0}", kind));
}

struct Function {
  std::string_view name;
  bool present;
};

Result<void> check_functions(std::string_view type, std::initializer_list<Function> functions) {
  for (const Function& function : functions) {
    if (!function.present) {
      return invalid(fmt::format("its {0} has no {1}(), which this host must call: set {0}.{1}", type, function.name));
    }
  }
  return {};
}

Result<void> check_sink(const nfbus_plugin& plugin, const nfbus_library& library) {
  if (plugin.sink == nullptr) return null_table("sink");
  const nfbus_sink& sink = *plugin.sink;
  if (auto checked = check_size("nfbus_sink", sink.struct_size, sizes_of(library).sink_bytes, version_of(library));
      !checked) {
    return checked;
  }
  return check_functions("nfbus_sink", {{"create", sink.create != nullptr},
                                        {"open", sink.open != nullptr},
                                        {"write", sink.write != nullptr},
                                        {"close", sink.close != nullptr},
                                        {"destroy", sink.destroy != nullptr},
                                        {"tick", sink.tick != nullptr || shape_of(plugin).tick_ms == 0}});
}

Result<void> check_filter(const nfbus_plugin& plugin, const nfbus_library& library) {
  if (plugin.filter == nullptr) return null_table("filter");
  const nfbus_filter& filter = *plugin.filter;
  if (auto checked =
          check_size("nfbus_filter", filter.struct_size, sizes_of(library).filter_bytes, version_of(library));
      !checked) {
    return checked;
  }
  return check_functions("nfbus_filter", {{"create", filter.create != nullptr},
                                          {"apply", filter.apply != nullptr},
                                          {"destroy", filter.destroy != nullptr},
                                          {"tick", filter.tick != nullptr || shape_of(plugin).tick_ms == 0}});
}

Result<void> check_source(const nfbus_plugin& plugin, const nfbus_library& library) {
  if (plugin.source == nullptr) return null_table("source");
  const nfbus_source& source = *plugin.source;
  if (auto checked =
          check_size("nfbus_source", source.struct_size, sizes_of(library).source_bytes, version_of(library));
      !checked) {
    return checked;
  }
  return check_functions(
      "nfbus_source",
      {{"create", source.create != nullptr}, {"run", source.run != nullptr}, {"destroy", source.destroy != nullptr}});
}

Result<void> check_kind(const nfbus_plugin& plugin, const nfbus_library& library) {
  if (const std::uint32_t unknown = plugin.event_kinds & ~kKnownEventKinds; unknown != 0) {
    return invalid(fmt::format("it takes event kinds {:#x}, this host knows {:#x}: use NFBUS_EVENT_* of abi.h",
                               plugin.event_kinds, kKnownEventKinds));
  }
  if (plugin.shape != nullptr) {
    auto checked =
        check_size("nfbus_shape", plugin.shape->struct_size, sizes_of(library).shape_bytes, version_of(library));
    if (!checked) return checked;
  }
  switch (plugin.plugin_kind) {
    case NFBUS_PLUGIN_SINK: return check_sink(plugin, library);
    case NFBUS_PLUGIN_FILTER: return check_filter(plugin, library);
    case NFBUS_PLUGIN_SOURCE: return check_source(plugin, library);
    default: break;
  }
  return invalid(
      fmt::format("its plugin_kind is {}, this host knows 1 (sink), 2 (filter) and 3 (source): use NFBUS_PLUGIN_*",
                  plugin.plugin_kind));
}

Result<void> check_texts(const nfbus_plugin& plugin, const nfbus_library& /*library*/) {
  const std::pair<std::string_view, nfbus_text> texts[] = {
      {"name", plugin.name}, {"version", plugin.version}, {"summary", plugin.summary}, {"schema", plugin.schema}};
  for (const auto& [field, text] : texts) {
    if (text.data == nullptr && text.size != 0) {
      return invalid(fmt::format("its {} has {} bytes at a null pointer: use NFBUS_TEXT", field, text.size));
    }
  }
  if (!is_plain_name(plugin_view(plugin.name))) {
    return invalid(fmt::format("its name \"{}\" does not fit this host's [a-z0-9_-]+ of at most {} bytes: rename it",
                               clean_text(plugin_view(plugin.name)), kMaxNameBytes));
  }
  if (auto checked = check_schema(plugin_view(plugin.schema), plugin.plugin_kind); !checked) {
    return invalid("its option schema is wrong: " + checked.error().text);
  }
  return {};
}

Result<void> check_commands(const nfbus_plugin& plugin, const nfbus_library& library) {
  if (plugin.command_count != 0 && plugin.commands == nullptr) {
    return invalid(
        fmt::format("it has {} commands at a null pointer: set commands or command_count", plugin.command_count));
  }
  for (const nfbus_command* command : commands_of(plugin)) {
    if (command == nullptr) return invalid("one of its commands is a null pointer: set commands and command_count");
    auto checked =
        check_size("nfbus_command", command->struct_size, sizes_of(library).command_bytes, version_of(library));
    if (!checked) return checked;
    if (command->run == nullptr || !is_plain_name(plugin_view(command->name))) {
      return invalid(fmt::format("its command \"{}\" has no run(), or a name that does not fit [a-z0-9_-]+",
                                 clean_text(plugin_view(command->name))));
    }
  }
  return {};
}

Result<void> check_annotates(const nfbus_plugin& plugin, const nfbus_library& /*library*/) {
  if (plugin.annotates_count != 0 && plugin.annotates == nullptr) {
    return invalid(fmt::format("it annotates {} fields at a null pointer: set annotates or annotates_count",
                               plugin.annotates_count));
  }
  for (const nfbus_text& name : annotates(plugin)) {
    if (plugin_view(name).empty()) return invalid("it annotates a field without a name: use NFBUS_TEXT");
  }
  return {};
}

// Its name first, so that the others can name it.
Result<void> check_plugin(const nfbus_plugin* plugin, const nfbus_library& library) {
  if (plugin == nullptr) return invalid("one of its plugins is a null pointer: set plugins and plugin_count");
  if (auto checked =
          check_size("nfbus_plugin", plugin->struct_size, sizes_of(library).plugin_bytes, version_of(library));
      !checked) {
    return checked;
  }
  for (const auto check : {check_kind, check_texts, check_commands, check_annotates}) {
    if (auto checked = check(*plugin, library); !checked) return checked;
  }
  return {};
}

}  // namespace

bool is_plain_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string_view kind_name(std::uint32_t plugin_kind) noexcept {
  switch (plugin_kind) {
    case NFBUS_PLUGIN_SINK: return "sink";
    case NFBUS_PLUGIN_FILTER: return "filter";
    default: return "source";
  }
}

std::span<const nfbus_plugin* const> plugins_of(const nfbus_library& library) noexcept {
  return {library.plugins, library.plugin_count};
}

std::span<const nfbus_text> annotates(const nfbus_plugin& plugin) noexcept {
  return {plugin.annotates, plugin.annotates_count};
}

std::span<const nfbus_command* const> commands_of(const nfbus_plugin& plugin) noexcept {
  return {plugin.commands, plugin.command_count};
}

nfbus_shape shape_of(const nfbus_plugin& plugin) noexcept {
  nfbus_shape none{};
  none.struct_size = sizeof none;
  return plugin.shape == nullptr ? none : host_copy(*plugin.shape);
}

std::uint32_t event_kinds_of(const nfbus_plugin& plugin) noexcept {
  return plugin.event_kinds == 0 ? NFBUS_EVENT_PACKET : plugin.event_kinds;
}

Result<const nfbus_library*> check_library(const void* symbol) {
  const auto& library = *static_cast<const nfbus_library*>(symbol);
  if (auto checked = check_version(version_of(library)); !checked) return checked.error();
  if (auto checked =
          check_size("nfbus_library", library.struct_size, sizes_of(library).library_bytes, version_of(library));
      !checked) {
    return checked.error();
  }
  if (library.plugin_count == 0 || library.plugins == nullptr) {
    return invalid("it brings no plugin: set plugins and plugin_count");
  }
  for (const nfbus_plugin* plugin : plugins_of(library)) {
    auto checked = check_plugin(plugin, library);
    if (checked) continue;
    // Among several, the user wants to know which.
    if (plugin == nullptr || library.plugin_count == 1) return checked.error();
    return invalid(fmt::format("its plugin \"{}\": {}", clean_text(plugin_view(plugin->name)), checked.error().text));
  }
  return &library;
}

Result<nfbus_privileged> check_privileged(const void* symbol) {
  const auto& part = *static_cast<const nfbus_privileged*>(symbol);
  const Version version = {part.abi_major, part.abi_minor};
  if (auto checked = check_version(version); !checked) return checked.error();
  if (auto checked = check_size("nfbus_privileged", part.struct_size, kSizes[version.minor].privileged_bytes, version);
      !checked) {
    return checked.error();
  }
  auto checked = check_functions(
      "nfbus_privileged",
      {{"open", part.open != nullptr}, {"request", part.request != nullptr}, {"close", part.close != nullptr}});
  if (!checked) return checked.error();
  return host_copy(part);
}

}  // namespace nfbus::host
