#include "config/keeping.hpp"

#include "config/document.hpp"
#include "config/findings.hpp"
#include "config/json_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace nfbus::host {

using nlohmann::json;

namespace {

Overflow overflow_of(const json& table) {
  const auto word = member<std::string>(table, "overflow", "drop_oldest");
  if (word == "spill") return Overflow::spill;
  return word == "drop_newest" ? Overflow::drop_newest : Overflow::drop_oldest;
}

spill::Sync sync_of(std::string_view word) {
  if (word == "always") return spill::Sync::always;
  return word == "never" ? spill::Sync::never : spill::Sync::interval;
}

SpillConfig spill_of(const json& table, const std::string& sink) {
  SpillConfig config;
  spill::Settings& settings = config.settings;
  settings.owner = sink;
  settings.folder = member(table, "dir", std::string(spill::kDefaultParent) + '/' + sink);
  settings.max_bytes = member(table, "max_bytes", settings.max_bytes);
  settings.max_age = std::chrono::seconds(member<std::int64_t>(table, "max_age", 0));
  settings.segment_bytes = member(table, "segment_bytes", settings.segment_bytes);
  settings.min_free_bytes = member(table, "min_free", settings.min_free_bytes);
  settings.sync = sync_of(member<std::string>(table, "sync", "interval"));
  if (member<std::string>(table, "mode", "overflow") == "always") config.mode = spill::Mode::always;
  return config;
}

}  // namespace

std::string real_folder(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real.string();
}

void read_keeping(const json& table, const SchemaPath& path, SinkConfig& sink, Findings& doubts) {
  sink.overflow = overflow_of(table);
  if (sink.overflow == Overflow::spill) {
    sink.spill = spill_of(table_at(table, "spill"), sink.name);
    const spill::Settings& settings = sink.spill->settings;
    if (settings.segment_bytes > settings.max_bytes / 4 && table_at(table, "spill").contains("segment_bytes")) {
      doubts.at_value(path / "spill" / "segment_bytes",
                      fmt::format("a segment has a quarter of max_bytes at most: {}", settings.max_bytes / 4));
    }
  } else if (table.contains("spill")) {
    doubts.at_key(path / "spill", "is of no use without overflow = \"spill\"");
  }
  sink.dead_letters.file = member(table, "dead_letters", std::string());
  sink.dead_letters.max_bytes = member(table, "dead_letters_bytes", sink.dead_letters.max_bytes);
}

void check_spill_folders(const std::vector<SinkConfig>& sinks, const Document& document, Findings& errors) {
  for (auto sink = sinks.begin(); sink != sinks.end(); ++sink) {
    if (!sink->spill) continue;
    const std::string folder = real_folder(sink->spill->settings.folder);
    const auto first = std::find_if(sinks.begin(), sink, [&](const SinkConfig& other) {
      return other.spill && real_folder(other.spill->settings.folder) == folder;
    });
    if (first == sink) continue;
    const SchemaPath path = SchemaPath{"sink", sink->name} / "spill" / "dir";
    const SchemaPath place = document.holds(path) == Document::Holds::nothing ? SchemaPath{"sink", sink->name} : path;
    errors.at_value(place,
                    fmt::format("sink.{} spills to {}, too; give each sink a folder of its own", first->name, folder));
  }
}

}  // namespace nfbus::host
