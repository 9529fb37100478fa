// Configurations from text, checked against two plugins that exist only here.
#pragma once

#include "config/load.hpp"
#include "file_sink_schema.hpp"
#include "temporary_folder.hpp"

#include <nfbus/abi.h>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace nfbus::test {

inline nfbus_plugin entry_of(std::string_view name, std::uint32_t kind, std::string_view schema) {
  nfbus_plugin entry = {};
  entry.struct_size = sizeof(nfbus_plugin);
  entry.plugin_kind = kind;
  entry.name = {name.data(), name.size()};
  entry.schema = {schema.data(), schema.size()};
  return entry;
}

// A filter that adds the field "country", and no other.
inline nfbus_plugin declaring_filter() {
  static constexpr nfbus_text kFields[] = {NFBUS_TEXT("country")};
  nfbus_plugin entry = entry_of("geo", NFBUS_PLUGIN_FILTER, "");
  entry.annotates = kFields;
  entry.annotates_count = 1;
  return entry;
}

// A sink that takes packets and messages, on standard output, too.
inline nfbus_plugin message_sink() {
  nfbus_plugin entry = entry_of("log", NFBUS_PLUGIN_SINK, kLogSchema);
  entry.event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
  return entry;
}

// A sink that gets everything, unless it is told what.
inline nfbus_plugin curious_sink() {
  nfbus_plugin entry = entry_of("all", NFBUS_PLUGIN_SINK, R"({"type": "object", "x-default-topics": ["", "nfbus:x"]})");
  entry.event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
  return entry;
}

inline host::PluginRegistry plugins() {
  static const nfbus_plugin kSink = entry_of("files", NFBUS_PLUGIN_SINK, kFileSinkSchema);
  static const nfbus_plugin kFilter = entry_of("sieve", NFBUS_PLUGIN_FILTER, "");
  static const nfbus_plugin kGeo = declaring_filter();
  static const nfbus_plugin kLog = message_sink();
  static const nfbus_plugin kCurious = curious_sink();
  return host::PluginRegistry::of({{&kSink, "/plugins/files.so", nullptr},
                                   {&kFilter, "/plugins/sieve.so", nullptr},
                                   {&kGeo, "/g.so", nullptr},
                                   {&kLog, "/l.so", nullptr},
                                   {&kCurious, "/c.so", nullptr}},
                                  {{"/plugins/broken.so", {Code::invalid, "is not a shared object"}},
                                   {"/gone", {Code::not_found, "no such folder"}}},
                                  {"/plugins", "/gone"});
}

// A folder with the configuration in it; gone with the object.
class Given {
 public:
  explicit Given(std::string_view toml) { write("c.toml", toml); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void write(const std::string& name, std::string_view content) const { write_file(path(name), content); }

  [[nodiscard]] host::LoadedConfig load(bool replay = false) const {
    return host::load_config(host::read_config_file(path("c.toml"), false), plugins(), {.replay = replay});
  }
  // Each as "LINE:COL: text", or "text" when it is about the file.
  [[nodiscard]] std::vector<std::string> errors() const { return texts_of(load().errors); }
  [[nodiscard]] std::vector<std::string> warnings() const { return texts_of(load().warnings); }

 private:
  [[nodiscard]] std::vector<std::string> texts_of(const std::vector<Error>& errors) const {
    std::vector<std::string> texts;
    for (const Error& error : errors) {
      EXPECT_TRUE(error.where && error.where->file == path("c.toml")) << error.text;
      const std::string line = to_string(error);
      texts.push_back(line.substr(path("c.toml").size() + (error.where->line != 0 ? 1 : 2)));
    }
    return texts;
  }

  TemporaryFolder folder_;
};

inline std::vector<std::string> errors_of(std::string_view toml) { return Given(toml).errors(); }
inline std::vector<std::string> warnings_of(std::string_view toml) { return Given(toml).warnings(); }

// The errors of a [sink.a] of the plugin `files` with `keys`, which begin at line 4.
inline std::vector<std::string> sink_errors(std::string_view keys) {
  return errors_of("[sink.a]\nplugin = 'files'\nfile = '/x'\n" + std::string(keys));
}

}  // namespace nfbus::test
