#include "config/load.hpp"

#include "config/document.hpp"
#include "config/doubts.hpp"
#include "config/findings.hpp"
#include "config/host_schema.hpp"
#include "config/json_table.hpp"
#include "config/keeping.hpp"
#include "config/paths.hpp"
#include "config/secrets.hpp"
#include "config/unquoted.hpp"
#include "event/topic.hpp"
#include "plugins/annotations.hpp"
#include "plugins/handshake.hpp"
#include "schema/host_keys.hpp"
#include "schema/words.hpp"
#include "support/suggest.hpp"

#include <nfbus/text.hpp>
#include <nfbus/util/commands.hpp>

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

Result<Document> parse(const ConfigFile& file) {
  if (!file.text) return file.text.error();
  if (const unsigned line = line_of_ulogd(*file.text); line != 0) {
    return Error{.code = Code::invalid, .text = std::string(kUlogdAdvice), .where = Location{file.name, line, 1}};
  }
  return Document::parse(*file.text, file.name);
}

std::string folder_of(const std::string& file) { return std::filesystem::path(file).parent_path().string(); }

// Relative paths of the host's keys start at the configuration's folder.
std::string beside(const std::string& file, const std::string& path) {
  return (std::filesystem::path(folder_of(file)) / path).string();
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

class Loader {
 public:
  Loader(std::shared_ptr<const Document> document, const PluginRegistry& plugins, const ConfigFile& file)
      : kept_document_(std::move(document)),
        document_(*kept_document_),
        plugins_(plugins),
        started_as_root_(file.way.has_value()),
        findings_(document_, Findings::Keep::first),
        warnings_(document_, Findings::Keep::all),
        doubts_(document_, Findings::Keep::all),
        paths_(document_, findings_, doubts_) {
    config_.file = file.name;
  }

  LoadedConfig load(const LoadOptions& options) && {
    std::vector<SchemaFinding> unusable;
    json root = document_.to_json(unusable);
    const json written = root;
    findings_.add(unusable);
    const bool empty = root.empty();
    const bool has_work = root.contains("capture") || root.contains("sink") || root.contains("source");
    check(host_schema(), root, {});
    if (!has_work && !options.replay) {
      findings_.about_file(std::string(empty ? "it is empty: " : "") +
                           "there is neither a [[capture]] nor a [sink.NAME], so there is nothing to do; "
                           "add one, or replay a file with --replay PCAP");
    }
    read_host(table_at(root, "host"));
    read_bus(table_at(root, "bus"));
    read_metrics(table_at(root, "metrics"));
    find_known_fields(table_at(root, "filter"));
    read_filters(table_at(root, "filter"));
    config_.bus.filters = read_filter_names(table_at(root, "bus"), {"bus"});
    read_captures(table_at(root, "capture"));
    read_sinks(table_at(root, "sink"));
    read_sources(table_at(root, "source"));
    find_unexpanded(written, warnings_);  // also where that is why it is wrong
    find_doubts(written, config_, plugins_, doubts_);
    if (options.replay) {
      config_.sources.clear();  // the file alone is read
      // It waits for room in memory, and a live host's disk queue is none of its business.
      for (SinkConfig& sink : config_.sinks) sink.spill.reset();
    }
    LoadedConfig loaded{.config = std::move(config_),
                        .errors = findings_.take(),
                        .warnings = warnings_.take(),
                        .used_paths = std::move(paths_).used()};
    // What is wrong comes first: doubts may follow from it.
    if (!loaded.errors.empty()) return loaded;
    for (Error& doubt : doubts_.take()) loaded.warnings.push_back(std::move(doubt));
    return loaded;
  }

 private:
  void read_host(const json& table) {
    const SchemaPath path = {"host"};
    HostConfig& host = config_.host;
    host.device = member(table, "device", host.device);
    check_text(path / "device", host.device);
    host.topic_root = member(table, "topic_root", host.topic_root);
    check_text(path / "topic_root", host.topic_root);
    if (host.topic_root.starts_with(kOwnTopics)) {
      findings_.at_value(path / "topic_root", "topics under \"nfbus:\" are the host's own; use another root");
    }
    host.user = member(table, "user", host.user);
    host.user_given = host.user != defaults::kUser;
    check_text(path / "user", host.user);
    if (host.user_given && ::getpwnam(host.user.c_str()) == nullptr) {
      findings_.at_value(
          path / "user",
          fmt::format("there is no user {0}: create it (useradd --system {0}) or remove the key", host.user));
    }
    std::size_t index = 0;
    for (const json& folder : table_at(table, "plugin_dirs")) {
      const SchemaPath place = path / "plugin_dirs" / index++;
      if (folder.is_null()) continue;
      const auto& name = folder.get_ref<const std::string&>();
      check_text(place, name);
      host.plugin_dirs.push_back(beside(config_.file, name));
      for (const RefusedPlugin& refused : plugins_.refused()) {
        if (refused.file == host.plugin_dirs.back()) findings_.at_value(place, refused.error.text);
      }
    }
  }

  void read_bus(const json& table) {
    const SchemaPath path = {"bus"};
    BusConfig& bus = config_.bus;
    if (table.contains("socket")) {
      const auto given = table["socket"].get<std::string>();
      check_text(path / "socket", given);
      if (given == "-") findings_.at_value(path / "socket", fault_of_path(given));
      bus.socket = beside(config_.file, given);
      doubt_folder_of(bus.socket, path / "socket");
      constexpr std::size_t kMostBytes = sizeof(sockaddr_un::sun_path) - 1;
      if (bus.socket.size() > kMostBytes) {
        findings_.at_value(path / "socket",
                           "a socket's path has at most " + std::to_string(kMostBytes) + " bytes; use a shorter one");
      }
    }
    bus.group = member(table, "group", bus.group);
    if (table.contains("group")) {
      check_text(path / "group", bus.group);
      if (::getgrnam(bus.group.c_str()) == nullptr) {
        doubts_.at_value(
            path / "group",
            fmt::format("there is no group {0}, so that nobody but the user can connect; groupadd --system {0}",
                        bus.group));
      }
    }
    bus.payload = member<std::string>(table, "payload", "none") == "full" ? BusPayload::full : BusPayload::none;
    const auto format = member(table, "format", std::string(defaults::kBusFormat));
    bus.format = chosen_format(format, bus.payload == BusPayload::full);
  }

  // The socket's folder is made where it is missing, but not the one that it is in.
  void doubt_folder_of(const std::string& socket, const SchemaPath& place) {
    const std::filesystem::path folder = std::filesystem::path(socket).parent_path();
    const std::filesystem::path above = folder.parent_path();
    std::error_code error;
    if (above.empty() || std::filesystem::exists(folder, error) || error) return;
    if (std::filesystem::exists(above, error) || error) return;
    doubts_.at_value(place, fmt::format("there is no folder {}, to make that of the socket in; mkdir -p {}",
                                        above.string(), util::shell_word(folder.string())));
  }

  void read_metrics(const json& table) {
    const SchemaPath path = {"metrics"};
    MetricsConfig& metrics = config_.metrics;
    metrics.token = member(table, "token", metrics.token);
    if (!table.contains("listen")) return;
    auto listen = parse_listen_address(table["listen"].get_ref<const std::string&>());
    if (!listen) return findings_.at_value(path / "listen", listen.error().text);
    if (!listen->is_loopback && metrics.token.empty()) {
      findings_.at_value(path / "listen",
                         "others can reach this address: give token_file = \"PATH\", or listen at 127.0.0.1");
    }
    metrics.listen = std::move(listen).value();
  }

  void read_captures(const json& list) {
    std::map<std::uint16_t, Location> groups;
    std::size_t index = 0;
    for (const json& table : list) {
      const SchemaPath path = SchemaPath{"capture"} / index++;
      if (table.is_null()) continue;
      CaptureConfig capture;
      capture.where = document_.locate(path, false);
      capture.group = member(table, "group", capture.group);
      if (table.contains("group")) {
        const auto [first, is_new] = groups.emplace(capture.group, document_.locate(path / "group", false));
        if (!is_new) {
          findings_.at_value(path / "group", "group " + std::to_string(capture.group) +
                                                 " is captured already, at line " + std::to_string(first->second.line) +
                                                 "; each group has one capture");
        }
      }
      capture.action = read_action(table, path, capture.group);
      capture.prefixes = read_texts(table, path, "prefixes", "to forward all of them");
      for (std::string& prefix : capture.prefixes) prefix = normalize_prefix(prefix);
      capture.filters = read_filter_names(table, path);
      capture.snaplen_bytes = member(table, "snaplen", capture.snaplen_bytes);
      capture.latency_ms = member(table, "latency_ms", capture.latency_ms);
      capture.recv_buffer_bytes = member(table, "recv_buffer", capture.recv_buffer_bytes);
      config_.captures.push_back(std::move(capture));
    }
  }

  // What rules do is theirs to know; the mission's groups are the only ones that speak for themselves.
  Action read_action(const json& table, const SchemaPath& path, std::uint16_t group) {
    if (table.contains("action")) return table["action"] == "blocked" ? Action::blocked : Action::allowed;
    if (table.contains("group") && group > 1 && document_.holds(path / "action") == Document::Holds::nothing) {
      findings_.at_key(
          path / "action",
          fmt::format("group {} needs one: write action = \"allowed\" or \"blocked\", whichever its rules do; "
                      "only group 0 (allowed) and group 1 (blocked) have a default",
                      group));
    }
    return group == 0 ? Action::allowed : Action::blocked;
  }

  void find_known_fields(const json& filters) {
    std::vector<std::string> names;
    for (const json& filter : filters) {
      const auto plugin = filter.find("plugin");
      names.push_back(plugin == filter.end() || !plugin->is_string() ? std::string() : plugin->get<std::string>());
    }
    fields_ = annotations_of(plugins_, names);
    fields_.topic_root = config_.host.topic_root;
  }

  void read_filters(const json& instances) {
    for (const auto& [name, given] : instances.items()) {
      filter_names_.push_back(name);
      FilterConfig filter;
      read_instance({"filter", name}, given, NFBUS_PLUGIN_FILTER, filter);
      config_.filters.push_back(std::move(filter));
    }
  }

  void read_sinks(const json& instances) {
    for (const auto& [name, given] : instances.items()) {
      const SchemaPath path = {"sink", name};
      SinkConfig sink;
      const json table = read_instance(path, given, NFBUS_PLUGIN_SINK, sink);
      sink.target = paths_.first_output(path, path / "dead_letters");
      for (const std::string& topic : read_texts(table, path, "topics", "to get every packet topic")) {
        sink.topics.emplace_back(topic, config_.host.topic_root, Extent::beginning);
      }
      if (!table.contains("topics")) sink.topics = default_topics(sink.plugin);
      sink.filters = read_filter_names(table, path);
      sink.queue_events = member(table, "queue", sink.queue_events);
      sink.queue_bytes = member(table, "queue_bytes", sink.queue_bytes);
      read_keeping(table, path, sink, doubts_);
      config_.sinks.push_back(std::move(sink));
    }
    paths_.check_outputs(config_.file);
    check_spill_folders(config_.sinks, document_, findings_);
  }

  // Of a sink that names none; empty: every packet topic.
  [[nodiscard]] std::vector<TopicPattern> default_topics(const std::string& plugin) const {
    std::vector<TopicPattern> out;
    const Plugin* const found = plugins_.find(plugin);
    if (found == nullptr || found->entry->schema.size == 0) return out;
    const json schema = json::parse(to_view(found->entry->schema));
    for (const json& topic : schema.value("x-default-topics", json::array())) {
      out.emplace_back(topic.get<std::string>(), config_.host.topic_root, Extent::beginning);
    }
    return out;
  }

  void read_sources(const json& instances) {
    for (const auto& [name, given] : instances.items()) {
      PluginConfig source;
      read_instance({"source", name}, given, NFBUS_PLUGIN_SOURCE, source);
      config_.sources.push_back(std::move(source));
    }
  }

  // Checks the table of one instance against the host's keys and the plugin's, and returns what passed.
  json read_instance(const SchemaPath& path, json table, std::uint32_t kind, PluginConfig& instance) {
    instance.name = std::get<std::string>(path.back());
    instance.where = document_.locate(path, false);
    instance.places = OptionPlaces(kept_document_, path);
    check_name(path, instance.name);
    json schema = json::parse(host_keys_schema(kind));
    const json host_keys = schema["properties"];
    const Plugin* plugin = find_plugin(path, table, kind);
    if (plugin == nullptr) {
      schema["additionalProperties"] = true;  // who knows
    } else {
      add_plugin_keys(*plugin, schema);
    }
    check(schema, table, path);
    instance.plugin = member(table, "plugin", instance.plugin);
    json options = table;
    for (const auto& [key, property] : host_keys.items()) options.erase(key);
    instance.options_json = options.dump();
    return table;
  }

  // Puts secrets and defaults into `value`, and takes out of it what is wrong.
  void check(const json& schema, json& value, const SchemaPath& path) {
    for (const SchemaFinding& used : find_deprecated(schema, value, path)) warnings_.at_key(used.path, used.message);
    SecretFindings secrets = resolve_secrets(schema, value, path, folder_of(config_.file), started_as_root_);
    std::vector<SchemaFinding> found = apply_schema(schema, value, path, fields_);
    std::erase_if(found, [&secrets](const SchemaFinding& finding) {
      return std::find(secrets.unresolved.begin(), secrets.unresolved.end(), finding.path) != secrets.unresolved.end();
    });
    findings_.add(secrets.findings);
    for (const SchemaFinding& doubt : take_doubts(found)) doubts_.at_value(doubt.path, doubt.message);
    findings_.add(found);
    for (const auto& [place, file] : secrets.files) paths_.take_secret(place, file);
    paths_.take(schema, value, path, absolute_folder());
  }

  [[nodiscard]] std::string absolute_folder() const {
    std::error_code error;  // without a working directory the paths stay as they are
    const std::filesystem::path file = std::filesystem::absolute(config_.file, error);
    return folder_of(error ? config_.file : file.string());
  }

  static void add_plugin_keys(const Plugin& plugin, json& schema) {
    const nfbus_text text = plugin.entry->schema;
    if (text.size == 0) return;
    json own = json::parse(std::string_view(text.data, text.size));
    for (const auto& [key, property] : table_at(own, "properties").items()) schema["properties"][key] = property;
    for (const json& key : table_at(own, "required")) schema["required"].push_back(key);
    if (own.contains("additionalProperties")) schema["additionalProperties"] = own["additionalProperties"];
  }

  const Plugin* find_plugin(const SchemaPath& path, const json& table, std::uint32_t kind) {
    const auto given = table.find("plugin");
    if (given == table.end() || !given->is_string()) return nullptr;
    const auto& name = given->get_ref<const std::string&>();
    const SchemaPath place = path / "plugin";
    const Plugin* plugin = plugins_.find(name);
    if (plugin == nullptr) {
      findings_.at_value(place, unknown_plugin(name, kind));
    } else if (plugin->entry->plugin_kind != kind) {
      const std::string right(kind_name(plugin->entry->plugin_kind));
      findings_.at_value(place, '"' + name + "\" is a " + right + "; name it under [" + right + ".NAME]");
      return nullptr;
    }
    return plugin;
  }

  [[nodiscard]] std::string unknown_plugin(const std::string& name, std::uint32_t kind) const {
    std::vector<std::string> names;
    for (const Plugin& plugin : plugins_.plugins()) {
      const nfbus_text text = plugin.entry->name;
      if (plugin.entry->plugin_kind == kind) names.emplace_back(text.data, text.size);
    }
    std::string message = "no plugin " + schema_words::shown(json(name)) + " in ";
    if (plugins_.folders().empty()) message += "no folder";
    for (const auto& folder : plugins_.folders()) {
      if (&folder != &plugins_.folders().front()) message += ", ";
      message += folder.string();
    }
    message += did_you_mean(name, names);
    for (const RefusedPlugin& refused : plugins_.refused()) {
      const bool is_folder =
          std::find(plugins_.folders().begin(), plugins_.folders().end(), refused.file) != plugins_.folders().end();
      if (is_folder || (!name.empty() && refused.file.stem().string().find(name) != std::string::npos)) {
        message += "; " + refused.file.string() + ": " + refused.error.text;
      }
    }
    return message;
  }

  void check_name(const SchemaPath& path, const std::string& name) {
    constexpr std::size_t kMostBytes = 64;
    constexpr std::string_view kBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (name.empty() || name.size() > kMostBytes || name.find_first_not_of(kBytes) != std::string::npos) {
      findings_.at_key(path, "a name has 1 to 64 letters of A-Z, a-z, 0-9, _ and -");
    }
  }

  void check_text(const SchemaPath& path, const std::string& text) {
    constexpr std::size_t kMostBytes = 4095;  // PATH_MAX
    if (text.empty()) findings_.at_value(path, "is empty");
    if (!is_printable(text)) findings_.at_value(path, "has control characters in it");
    if (text.size() > kMostBytes) findings_.at_value(path, "is longer than " + std::to_string(kMostBytes) + " bytes");
  }

  // An array of texts that means "only these". `to_get_all`: why one would leave it out.
  std::vector<std::string> read_texts(const json& table, const SchemaPath& path, const char* key,
                                      const std::string& to_get_all) {
    std::vector<std::string> texts;
    if (!table.contains(key)) return texts;
    if (table[key].empty()) findings_.at_value(path / key, "lists nothing; leave it out " + to_get_all);
    std::size_t index = 0;
    for (const json& element : table[key]) {
      const SchemaPath place = path / key / index++;
      if (element.is_null()) continue;
      auto text = element.get<std::string>();
      if (normalize_prefix(text).empty()) {
        findings_.at_value(place, "is empty; leave " + std::string(key) + " out " + to_get_all);
      }
      check_text(place, text);
      texts.push_back(std::move(text));
    }
    return texts;
  }

  std::vector<std::string> read_filter_names(const json& table, const SchemaPath& path) {
    std::vector<std::string> names;
    std::size_t index = 0;
    for (const json& element : table_at(table, "filters")) {
      const SchemaPath place = path / "filters" / index++;
      if (element.is_null()) continue;
      const auto& name = element.get_ref<const std::string&>();
      if (std::find(filter_names_.begin(), filter_names_.end(), name) == filter_names_.end()) {
        findings_.at_value(place, "there is no [filter." + name + "]" + did_you_mean(name, filter_names_) +
                                      (filter_names_.empty() ? "; no filter is declared" : ""));
      }
      names.push_back(name);
    }
    return names;
  }

  const std::shared_ptr<const Document> kept_document_;
  const Document& document_;
  const PluginRegistry& plugins_;
  const bool started_as_root_;
  Findings findings_;
  Findings warnings_;
  Findings doubts_;
  Config config_;
  OptionPaths paths_;
  std::vector<std::string> filter_names_;
  KnownFields fields_;  // that the configured filters may add
};

}  // namespace

EarlyConfig read_early_config(const ConfigFile& file) {
  EarlyConfig early;
  early.plugin_folders = builtin_plugin_folders();
  const Result<Document> document = parse(file);
  if (!document) return early;
  std::vector<SchemaFinding> ignored;
  const json root = document->to_json(ignored);
  const json& host = table_at(root, "host");
  for (const json& folder : table_at(host, "plugin_dirs")) {
    if (folder.is_string()) early.plugin_folders.emplace_back(beside(file.name, folder.get<std::string>()));
  }
  if (const auto user = host.find("user"); user != host.end() && user->is_string()) {
    early.user = user->get<std::string>();
    early.user_given = early.user != defaults::kUser;
  }
  early.has_bus = root.contains("bus");
  const json& bus = table_at(root, "bus");
  if (const auto socket = bus.find("socket"); socket != bus.end() && socket->is_string()) {
    early.bus_socket = beside(file.name, socket->get<std::string>());
  }
  if (const auto group = bus.find("group"); group != bus.end() && group->is_string()) {
    early.bus_group = group->get<std::string>();
  }
  for (const char* const kind : {"source", "filter", "sink"}) {
    for (const auto& [name, table] : table_at(root, kind).items()) {
      if (!table.is_object()) continue;
      const auto plugin = table.find("plugin");
      if (plugin == table.end() || !plugin->is_string()) continue;
      early.instances.push_back({.name = fmt::format("{}.{}", kind, name), .plugin = plugin->get<std::string>()});
    }
  }
  return early;
}

LoadedConfig load_config(const ConfigFile& file, const PluginRegistry& plugins, const LoadOptions& options) {
  Result<Document> document = parse(file);
  if (!document) return {.config = {}, .errors = {document.error()}, .warnings = {}, .used_paths = {}};
  return Loader(std::make_shared<const Document>(std::move(document).value()), plugins, file).load(options);
}

}  // namespace nfbus::host
