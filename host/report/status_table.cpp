#include "report/status_table.hpp"

#include "report/counters.hpp"
#include "support/printable.hpp"
#include "support/table.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

struct Column {
  std::string title;
  OnTerminal shown = OnTerminal::always;
};

std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_structured()) return value.dump();
  std::string list;
  for (const auto& [name, element] : value.items()) {
    list += (list.empty() ? "" : " ") + (value.is_object() ? name + "=" : "") + element.dump();
  }
  return list;
}

bool is_shown(const Column& column, const Json& rows) {
  if (column.shown != OnTerminal::when_not_zero) return column.shown == OnTerminal::always;
  return std::any_of(rows.begin(), rows.end(), [&](const Json& row) {
    const Json value = row.value(column.title, Json());
    return !value.empty() && value != 0;
  });
}

void append_table(std::string& text, const char* name, const std::vector<Column>& columns, const Json& rows) {
  if (rows.empty()) return;
  std::vector<std::string> titles;
  for (const Column& column : columns) {
    if (is_shown(column, rows)) titles.push_back(column.title);
  }
  std::vector<std::vector<std::string>> table = {titles};
  for (const Json& row : rows) {  // missing: "-"
    auto& cells = table.emplace_back();
    for (const std::string& title : titles) cells.push_back(cell(row.value(title, Json())));
  }
  text += fmt::format("\n{}\n{}", name, table_text(std::move(table), {.indent = true, .numbers_right = true}));
}

// The columns that stand before the counters, and those of the counters.
template <class Counters>
std::vector<Column> columns_of(std::vector<Column> columns, const Counters& counters) {
  for (const auto& counter : counters) columns.push_back({status_name(counter), counter.on_terminal});
  return columns;
}

std::vector<Column> source_columns() { return columns_of({{"name"}, {"state"}}, source_counters()); }

std::vector<Column> capture_columns() {
  auto columns = columns_of({{"group"}}, capture_counters());
  columns.push_back({"action"});
  return columns;
}

std::vector<Column> sink_columns() {
  auto columns = columns_of({{"name"}, {"plugin"}, {"state"}}, sink_counters());
  columns.push_back({"counters", OnTerminal::when_not_zero});  // few sinks count something of their own
  columns.push_back({"call", OnTerminal::when_not_zero});
  return columns;
}

std::vector<Column> bus_columns() { return columns_of({}, bus_counters()); }

std::vector<Column> filter_columns() {
  auto columns = columns_of({{"name"}, {"plugin"}, {"of"}}, filter_counters());
  columns.push_back({"counters"});
  columns.push_back({"call", OnTerminal::when_not_zero});
  return columns;
}

std::vector<Column> client_columns() {
  std::vector<Column> columns{{"id"}, {"pid"}, {"uid"}};
  for (const ClientCounter& counter : client_counters()) {
    if (counter.of_each != nullptr) columns.push_back({status_name(counter), counter.on_terminal});
  }
  columns.push_back({"topics"});
  return columns;
}

// With "in write() for 34 s" where one does not come back.
Json with_calls(Json rows) {
  for (Json& row : rows) {
    const Json call = row.value("call", Json());
    if (!call.is_string()) continue;
    row["call"] =
        fmt::format("in {}() for {} s", call.get<std::string>(), static_cast<std::uint64_t>(row.value("call_s", 0.0)));
  }
  return rows;
}

// A line for each that does not deliver.
std::string sinks_in_trouble(const Json& sinks) {
  std::string lines;
  for (const Json& sink : sinks) {
    const std::string state = sink.value("state", "");
    const Json error = sink.value("last_error", Json());
    if ((state != "retrying" && state != "failed") || !error.is_string()) continue;
    lines += fmt::format("  {} is {} since {}: {}\n", sink.at("name").get<std::string>(), state,
                         sink.value("state_since", "-"), printable(error.get<std::string>()));
  }
  return lines;
}

// The filters of captures, then those of each sink, then those of the bus, with what each is of.
Json all_filters(const Json& status) {
  Json rows = Json::array();
  for (Json row : status.at("filters")) {
    std::string of;
    for (const Json& group : row.at("groups")) of += (of.empty() ? "capture." : " capture.") + group.dump();
    row["of"] = of;
    rows.push_back(std::move(row));
  }
  const Json bus = status.value("bus", Json::object());  // a host of before them has none
  for (const Json& sink : status.at("sinks")) {
    for (Json row : sink.value("filters", Json::array())) {
      row["of"] = "sink." + sink.at("name").get<std::string>();
      rows.push_back(std::move(row));
    }
  }
  for (Json row : bus.value("filters", Json::array())) {
    row["of"] = "bus";
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

double mebibytes(const Json& bytes) { return bytes.get<double>() / (1UL << 20U); }

std::string all_tables(const Json& status) {
  std::string text =
      fmt::format("nfbus {}, process {}, up {}, {:.1f} MiB in memory, {:.1f} MiB of them waiting for clients\n",
                  status.at("version").get<std::string>(), status.at("pid").get<std::int64_t>(),
                  duration(status.at("uptime_s").get<double>()), mebibytes(status.at("memory").at("resident_bytes")),
                  mebibytes(status.at("memory").at("clients_bytes")));
  const std::string helper = status.value("helper", "none");
  if (helper == "stuck" || helper == "gone") {
    text += fmt::format("the privileged helper is {}: restart nfbus\n", helper);
  }
  // A host of before this number has none.
  if (const auto dropped = status.value(Json::json_pointer("/log/dropped"), std::uint64_t{0}); dropped != 0) {
    text += fmt::format("{} lines of its log were dropped: its reader is too slow\n", dropped);
  }
  // One alone is what the groups say, too. A host of before these numbers has none.
  if (const Json sources = status.value("sources", Json::array()); sources.size() > 1) {
    append_table(text, "sources", source_columns(), sources);
  }
  append_table(text, "groups", capture_columns(), status.at("capture"));
  append_table(text, "sinks", sink_columns(), with_calls(status.at("sinks")));
  text += sinks_in_trouble(status.at("sinks"));
  append_table(text, "filters", filter_columns(), with_calls(all_filters(status)));
  if (const Json bus = status.value("bus", Json::object());
      !bus.value("filters", Json::array()).empty() || bus.value("filtered", 0) != 0) {
    append_table(text, "bus", bus_columns(), Json::array({bus}));
  }
  append_table(text, "clients", client_columns(), status.at("clients"));
  if (status.contains("Truncated")) {
    text += fmt::format("  ... of {} clients\n", status.at("clients_total").at("connected").dump());
  }
  return text;
}

}  // namespace

Result<std::string> status_table(std::string_view status) {
  try {
    return all_tables(Json::parse(status));
  } catch (const Json::exception&) {  // of another version, or none at all
    return Error{Code::invalid, "its status is not one that this nfbus can read"};
  }
}

}  // namespace nfbus::host
