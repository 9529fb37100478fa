// `nfbus status`: the counters of a running host.
#include "cli/commands.hpp"
#include "cli/terminal_text.hpp"
#include "cli/wire_connection.hpp"
#include "support/log.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

// Rows of texts under their titles; numbers stand at the right of their column.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }

  // One cell for each title, taken from the object by that name; missing: "-".
  void add(const Json& object) {
    std::vector<std::string> row;
    row.reserve(rows_.front().size());
    for (const std::string& title : rows_.front()) row.push_back(printable(cell(object.value(title, Json()))));
    rows_.push_back(std::move(row));
  }
  [[nodiscard]] bool empty() const noexcept { return rows_.size() == 1; }

  void print() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) {
      fmt::memory_buffer line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const bool right = is_number(rows_.back()[i]);
        fmt::format_to(std::back_inserter(line), fmt::runtime(right ? "  {:>{}}" : "  {:<{}}"), row[i], widths[i]);
      }
      std::string_view text(line.data(), line.size());
      text = text.substr(0, text.find_last_not_of(' ') + 1);
      fmt::print("{}\n", text);
    }
  }

 private:
  static bool is_number(const std::string& text) {
    return text.find_first_not_of("0123456789.") == std::string::npos && !text.empty();
  }
  static std::string cell(const Json& value) {
    if (value.is_null()) return "-";
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_structured()) return value.dump();
    std::string list;
    for (const auto& [name, element] : value.items()) {
      list += (list.empty() ? "" : " ") + (value.is_object() ? name + "=" : "") + element.dump();
    }
    return list;
  }

  std::vector<std::vector<std::string>> rows_;
};

void print_table(const char* name, std::vector<std::string> titles, const Json& rows) {
  Table table(std::move(titles));
  for (const Json& row : rows) table.add(row);
  if (table.empty()) return;
  fmt::print("\n{}\n", name);
  table.print();
}

// The filters of captures, then those of each sink, with what each is of.
Json all_filters(const Json& status) {
  Json rows = Json::array();
  for (Json row : status.at("filters")) {
    std::string of;
    for (const Json& group : row.at("groups")) of += (of.empty() ? "capture." : " capture.") + group.dump();
    row["of"] = of;
    rows.push_back(std::move(row));
  }
  for (const Json& sink : status.at("sinks")) {
    for (Json row : sink.value("filters", Json::array())) {
      row["of"] = "sink." + sink.at("name").get<std::string>();
      rows.push_back(std::move(row));
    }
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

void print_status(const Json& status) {
  fmt::print("nfbus {}, process {}, up {}, {:.1f} MiB in memory, {:.1f} MiB of them waiting for clients\n",
             status.at("version").get<std::string>(), status.at("pid").get<std::int64_t>(),
             duration(status.at("uptime_s").get<double>()), mebibytes(status.at("memory").at("resident_bytes")),
             mebibytes(status.at("memory").at("clients_bytes")));
  const std::string helper = status.value("helper", "none");
  if (helper == "stuck" || helper == "gone") fmt::print("the privileged helper is {}: restart nfbus\n", helper);
  // A host of before this number has none.
  if (const auto dropped = status.value(Json::json_pointer("/log/dropped"), std::uint64_t{0}); dropped != 0) {
    fmt::print("{} lines of its log were dropped: its reader is too slow\n", dropped);
  }
  print_table("groups",
              {"group", "received", "lost", "published", "not_forwarded", "filtered", "decode_errors", "enobufs",
               "unseen_drops"},
              status.at("capture"));
  print_table("sinks",
              {"name", "plugin", "state", "published", "delivered", "filtered", "overflowed", "rejected", "queued",
               "spilled", "retries"},
              status.at("sinks"));
  print_table("filters", {"name", "plugin", "of", "failures", "heard", "unheard", "counters"}, all_filters(status));
  print_table("clients", {"id", "pid", "uid", "published", "delivered", "filtered", "overflowed", "queued", "topics"},
              status.at("clients"));
  if (status.contains("Truncated"))
    fmt::print("  ... of {} clients\n", status.at("clients_total").at("connected").dump());
}

}  // namespace

int status_command(const StatusOptions& options) {
  const auto answer = ask_status(options.socket);
  if (!answer) {
    log::error(answer.error().text);
    return exit_status::kFailed;
  }
  if (options.json) {
    fmt::print("{}\n", *answer);
  } else {
    try {
      print_status(Json::parse(*answer));
    } catch (const Json::exception&) {  // of another version, or none at all
      log::error(options.socket + ": its status is not one that this nfbus can read; --json shows it as it is");
      return exit_status::kFailed;
    }
  }
  return std::fflush(stdout) == 0 ? exit_status::kDone : exit_status::kFailed;
}

}  // namespace nfbus::host
