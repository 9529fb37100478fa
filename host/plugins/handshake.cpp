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
  std::size_t entry_bytes;
  std::size_t sink_bytes;
  std::size_t filter_bytes;
};
constexpr Sizes kSizes[] = {
    {.entry_bytes = offsetof(nfbus_entry, diagnose) + sizeof(nfbus_entry::diagnose),
     .sink_bytes = offsetof(nfbus_sink, destroy) + sizeof(nfbus_sink::destroy),
     .filter_bytes = offsetof(nfbus_filter, destroy) + sizeof(nfbus_filter::destroy)},
    {.entry_bytes = offsetof(nfbus_entry, annotates_count) + sizeof(nfbus_entry::annotates_count),
     .sink_bytes = offsetof(nfbus_sink, destroy) + sizeof(nfbus_sink::destroy),
     .filter_bytes = offsetof(nfbus_filter, finish) + sizeof(nfbus_filter::finish)},
};
static_assert(std::size(kSizes) == NFBUS_ABI_MINOR + 1);

// Of a version that check_version() accepts.
const Sizes& sizes_of(const nfbus_entry& entry) noexcept { return kSizes[entry.abi_minor]; }

constexpr std::uint32_t kKnownEventKinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
constexpr std::size_t kMaxNameBytes = 64;

Error invalid(std::string text) { return Error{.code = Code::invalid, .text = std::move(text)}; }

Result<void> check_version(const nfbus_entry& entry) {
  if (entry.abi_major != NFBUS_ABI_MAJOR) {
    return Error{
        .code = Code::unsupported,
        .text = fmt::format("plugin speaks ABI {}.{}, this host {}.{}: rebuild it against sdk {}.x", entry.abi_major,
                            entry.abi_minor, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR, NFBUS_ABI_MAJOR)};
  }
  if (entry.abi_minor > NFBUS_ABI_MINOR) {
    return Error{
        .code = Code::unsupported,
        .text = fmt::format(
            "plugin speaks ABI {}.{}, this host {}.{}: update nfbus, or rebuild the plugin against sdk {}.{}",
            entry.abi_major, entry.abi_minor, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR)};
  }
  return {};
}

Result<void> check_size(std::string_view type, std::size_t has_bytes, std::size_t needs_bytes,
                        const nfbus_entry& entry) {
  if (has_bytes >= needs_bytes) return {};
  return invalid(fmt::format(
      "its {0} says struct_size {1}, ABI {2}.{3} of this host needs {4} or more: set it to sizeof({0}) and rebuild",
      type, has_bytes, entry.abi_major, entry.abi_minor, needs_bytes));
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

Result<void> check_sink(const nfbus_entry& entry) {
  if (entry.sink == nullptr) return invalid("it is a sink, but its entry's `sink` is null: point it to an nfbus_sink");
  const nfbus_sink& sink = *entry.sink;
  if (auto checked = check_size("nfbus_sink", sink.struct_size, sizes_of(entry).sink_bytes, entry); !checked)
    return checked;
  return check_functions("nfbus_sink", {{"create", sink.create != nullptr},
                                        {"open", sink.open != nullptr},
                                        {"write", sink.write != nullptr},
                                        {"close", sink.close != nullptr},
                                        {"destroy", sink.destroy != nullptr},
                                        {"tick", sink.tick != nullptr || entry.shape.tick_ms == 0}});
}

Result<void> check_filter(const nfbus_entry& entry) {
  if (entry.filter == nullptr) {
    return invalid("it is a filter, but its entry's `filter` is null: point it to an nfbus_filter");
  }
  if (auto checked = check_size("nfbus_filter", entry.filter->struct_size, sizes_of(entry).filter_bytes, entry);
      !checked) {
    return checked;
  }
  const nfbus_filter filter = host_copy(*entry.filter);
  return check_functions("nfbus_filter", {{"create", filter.create != nullptr},
                                          {"apply", filter.apply != nullptr},
                                          {"destroy", filter.destroy != nullptr},
                                          {"tick", filter.tick != nullptr || entry.shape.tick_ms == 0}});
}

Result<void> check_kind(const nfbus_entry& entry) {
  if (const std::uint32_t unknown = entry.event_kinds & ~kKnownEventKinds; unknown != 0) {
    return invalid(fmt::format("it takes event kinds {:#x}, this host knows {:#x}: use NFBUS_EVENT_* of abi.h",
                               entry.event_kinds, kKnownEventKinds));
  }
  if (entry.plugin_kind == NFBUS_PLUGIN_SINK) return check_sink(entry);
  if (entry.plugin_kind == NFBUS_PLUGIN_FILTER) return check_filter(entry);
  return invalid(fmt::format("its plugin_kind is {}, this host knows 1 (sink) and 2 (filter): use NFBUS_PLUGIN_*",
                             entry.plugin_kind));
}

Result<void> check_texts(const nfbus_entry& entry) {
  const std::pair<std::string_view, nfbus_text> texts[] = {
      {"name", entry.name}, {"version", entry.version}, {"summary", entry.summary}, {"schema", entry.schema}};
  for (const auto& [field, text] : texts) {
    if (text.data == nullptr && text.size != 0) {
      return invalid(fmt::format("its {} has {} bytes at a null pointer: use NFBUS_TEXT", field, text.size));
    }
  }
  if (!is_plain_name(plugin_view(entry.name))) {
    return invalid(fmt::format("its name \"{}\" does not fit this host's [a-z0-9_-]+ of at most {} bytes: rename it",
                               clean_text(plugin_view(entry.name)), kMaxNameBytes));
  }
  if (auto checked = check_schema(plugin_view(entry.schema), entry.plugin_kind); !checked) {
    return invalid("its option schema is wrong: " + checked.error().text);
  }
  return {};
}

Result<void> check_commands(const nfbus_entry& entry) {
  if (entry.command_count != 0 && entry.commands == nullptr) {
    return invalid(
        fmt::format("it has {} commands at a null pointer: set commands or command_count", entry.command_count));
  }
  const std::span commands(entry.commands, entry.command_count);
  const auto bad = std::ranges::find_if(
      commands, [](const nfbus_command& c) { return c.run == nullptr || !is_plain_name(plugin_view(c.name)); });
  if (bad == commands.end()) return {};
  return invalid(fmt::format("its command \"{}\" has no run(), or a name that does not fit [a-z0-9_-]+",
                             clean_text(plugin_view(bad->name))));
}

Result<void> check_annotates(const nfbus_entry& entry) {
  const nfbus_entry known = host_copy(entry);
  if (known.annotates_count != 0 && known.annotates == nullptr) {
    return invalid(fmt::format("it annotates {} fields at a null pointer: set annotates or annotates_count",
                               known.annotates_count));
  }
  for (const nfbus_text& name : annotates(entry)) {
    if (plugin_view(name).empty()) return invalid("it annotates a field without a name: use NFBUS_TEXT");
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
  return plugin_kind == NFBUS_PLUGIN_SINK ? "sink" : "filter";
}

std::span<const nfbus_text> annotates(const nfbus_entry& entry) noexcept {
  const nfbus_entry known = host_copy(entry);
  return {known.annotates, known.annotates_count};
}

Result<const nfbus_entry*> check_entry(const void* symbol) {
  const auto& entry = *static_cast<const nfbus_entry*>(symbol);
  if (auto checked = check_version(entry); !checked) return checked.error();
  if (auto checked = check_size("nfbus_entry", entry.struct_size, sizes_of(entry).entry_bytes, entry); !checked) {
    return checked.error();
  }
  for (const auto check : {check_kind, check_texts, check_commands, check_annotates}) {
    if (auto checked = check(entry); !checked) return checked.error();
  }
  return &entry;
}

}  // namespace nfbus::host
