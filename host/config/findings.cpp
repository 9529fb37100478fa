#include "config/findings.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace nfbus::host {
namespace {

bool is_key(const SchemaPath& path, std::size_t index, std::string_view key) {
  const auto* text = index < path.size() ? std::get_if<std::string>(&path[index]) : nullptr;
  return text != nullptr && *text == key;
}

// A table of the root that stands below another one: a key with a dot belongs to the header above it.
std::string advice_on_place(const SchemaPath& path) {
  constexpr std::array<std::string_view, 7> kTables = {"host", "bus", "metrics", "capture", "filter", "source", "sink"};
  const auto* const name = std::get_if<std::string>(&path.back());
  if (name == nullptr || path.size() < 2 || std::find(kTables.begin(), kTables.end(), *name) == kTables.end())
    return {};
  const bool is_list = is_key(path, 0, "capture");
  const std::string above = is_list ? "[[capture]]" : "[" + to_string({path.begin(), path.end() - 1}) + "]";
  if (is_list && *name == "capture") return "; below [[capture]] its keys stand alone: group = 1";
  return "; it belongs to the " + above + " above it; begin a table of its own with " +
         (*name == "capture"                                        ? "[[capture]]"
          : *name == "host" || *name == "bus" || *name == "metrics" ? "[" + *name + "]"
                                                                    : "[" + *name + ".NAME]") +
         " on a line alone";
}

// What the schema cannot say: how TOML writes the tables of this file, and words of later releases.
std::string advice(const SchemaFinding& finding) {
  const SchemaPath& path = finding.path;
  const bool wrong_type = finding.kind == SchemaFinding::Kind::wrong_type;
  if (wrong_type && path.size() == 1 && is_key(path, 0, "capture")) return "; write [[capture]]";
  for (const std::string_view kind : {"filter", "sink"}) {
    if (wrong_type && path.size() <= 2 && is_key(path, 0, kind)) return "; write [" + std::string(kind) + ".NAME]";
  }
  if (wrong_type && path.size() == 3 && is_key(path, 0, "capture") && is_key(path, 2, "group")) {
    if (finding.message.ends_with("found an array")) return "; write one number, and a [[capture]] for each group";
    if (finding.message.ends_with("; write one number")) return ", and a [[capture]] for each group";
  }
  if (finding.kind == SchemaFinding::Kind::unknown_key) {
    if (std::string place = advice_on_place(path); !place.empty()) return place;
  }
  return {};
}

}  // namespace

void Findings::add(const std::vector<SchemaFinding>& findings) {
  for (const SchemaFinding& finding : findings) {
    add(finding.path, finding.message + advice(finding), finding.kind == SchemaFinding::Kind::unknown_key);
  }
}

void Findings::about_file(std::string message) {
  errors_.push_back({.code = Code::invalid, .text = std::move(message), .where = document_.locate({}, false)});
}

std::vector<Error> Findings::take() {
  const auto place = [](const Error& error) {
    return error.where ? std::pair(error.where->line, error.where->column) : std::pair(0U, 0U);
  };
  std::stable_sort(errors_.begin(), errors_.end(), [&](const Error& a, const Error& b) { return place(a) < place(b); });
  return std::exchange(errors_, {});
}

void Findings::add(const SchemaPath& path, const std::string& message, bool key) {
  std::string name = to_string(path);
  if (!seen_.insert(keep_ == Keep::first ? name : name + message).second) return;
  errors_.push_back({.code = Code::invalid, .text = name + ": " + message, .where = document_.locate(path, key)});
}

}  // namespace nfbus::host
