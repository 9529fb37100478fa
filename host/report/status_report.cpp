#include "report/status_report.hpp"

#include "bus/server/wire_line.hpp"
#include "formats/json_writer.hpp"
#include "report/counters.hpp"

#include <nfbus/version.h>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <variant>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

// What a wire line may hold of this, with the quotes escaped and the topic in front.
constexpr std::size_t kMostBytes = kMostMadeBytes * 3 / 4;

double seconds(std::chrono::steady_clock::duration time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) / 1000;
}

template <class Of>
void add_counter(Json& row, const CounterOf<Of>& counter, const CounterValue& value) {
  std::visit([&](const auto number) { row[status_name(counter)] = number; }, value);
}

template <class Of>
void add_counters(Json& row, std::span<const CounterOf<Of>> counters, const Of& of) {
  for (const auto& counter : counters) add_counter(row, counter, counter.value(of));
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

// RFC 3339, to the second.
std::string time_text(std::int64_t time_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return fmt::format("{:%FT%TZ}", fmt::gmtime(static_cast<std::time_t>(time_ns / kSecond)));
}

// A call that comes back at once is none.
void add_call(Json& row, const std::optional<RunningCall>& call) {
  constexpr std::chrono::seconds kShown{1};
  const bool shown = call && call->lasts >= kShown;
  row["call"] = shown ? Json(call->function) : Json();
  row["call_s"] = shown ? Json(seconds(call->lasts)) : Json(0);
}

Json source_row(const SourceSnapshot& s) {
  Json row = {{"name", s.name}, {"state", to_string(s.state)}};
  add_counters(row, source_counters(), s);
  return row;
}

Json capture_row(const CaptureSnapshot& c) {
  Json row = {{"group", c.group}};
  add_counters(row, capture_counters(), c);
  row["action"] = c.action == Action::blocked ? "blocked" : "allowed";
  return row;
}

Json counters_of(const OwnCounters& own) {
  Json counters = Json::object();
  for (const auto& [name, value] : own) counters[name] = value;
  return counters;
}

Json filter_row(const FilterSnapshot& f) {
  Json row = {{"name", f.name}, {"plugin", f.plugin}};
  add_counters(row, filter_counters(), f);
  add_call(row, f.call);
  row["counters"] = counters_of(f.own);
  return row;
}

Json sink_row(const SinkSnapshot& s) {
  Json row = {{"name", s.name},
              {"plugin", s.plugin},
              {"target", text_or_null(s.target)},
              {"state", to_string(s.health.state)},
              {"state_since", time_text(s.health.since_ns)},
              {"last_error", text_or_null(s.health.last_error)}};
  add_counters(row, sink_counters(), s);
  row["queue_limit"] = s.limits.events;
  row["queue_bytes_limit"] = s.limits.bytes;
  add_call(row, s.call);
  if (!s.own.empty()) row["counters"] = counters_of(s.own);
  for (const FilterSnapshot& filter : s.filters) row["filters"].push_back(filter_row(filter));
  return row;
}

Json client_row(const ClientSnapshot& c) {
  Json row = {{"id", c.id},
              {"pid", c.peer.pid},
              {"uid", c.peer.uid},
              {"connected_s", seconds(std::chrono::steady_clock::now() - c.since)},
              {"topics", c.topics}};
  for (const ClientCounter& counter : client_counters()) {
    if (counter.of_each != nullptr) add_counter(row, counter, counter.of_each(c));
  }
  if (c.topics_not_shown != 0) row["topics_not_shown"] = c.topics_not_shown;
  add_counters(row["sent"], sent_counters(), c.sent_by_it);
  return row;
}

Json sums_row(const ServerSnapshot& server) {
  Json row = Json::object();
  for (const ClientCounter& counter : client_counters()) {
    if (counter.in_status_sums) add_counter(row, counter, counter.value(server));
  }
  add_counters(row["sent"], sent_counters(), server.totals.received);
  return row;
}

std::string_view name_of(HelperState state) noexcept {
  switch (state) {
    case HelperState::running: return "running";
    case HelperState::stuck: return "stuck";
    case HelperState::gone: return "gone";
  }
  return "";
}

std::string dump(const Json& value) { return json::shown(value.dump(-1, ' ', false, Json::error_handler_t::replace)); }

}  // namespace

std::string to_json(const StatusReport& report) {
  Json status = {
      {"version", NFBUS_VERSION},           {"pid", ::getpid()},
      {"uptime_s", seconds(report.uptime)}, {"cpu_s", std::chrono::duration<double>(report.process.cpu).count()},
      {"topic_root", report.topic_root},    {"helper", report.helper ? name_of(*report.helper) : "none"}};
  status["memory"] = {{"resident_bytes", report.process.resident_bytes},
                      {"clients_bytes", report.server.waiting_bytes}};
  status["log"] = {{"dropped", report.log_dropped}};
  status["sources"] = Json::array();
  for (const SourceSnapshot& source : report.sources) status["sources"].push_back(source_row(source));
  status["capture"] = Json::array();
  for (const CaptureSnapshot& capture : report.captures) status["capture"].push_back(capture_row(capture));
  status["filters"] = Json::array();
  for (const CaptureFilterSnapshot& row : report.capture_filters) {
    status["filters"].push_back(filter_row(row.filter));
    status["filters"].back()["groups"] = row.groups;
  }
  status["sinks"] = Json::array();
  for (const SinkSnapshot& sink : report.sinks) status["sinks"].push_back(sink_row(sink));
  add_counters(status["bus"], bus_counters(), report.server);
  status["bus"]["filters"] = Json::array();
  for (const FilterSnapshot& filter : report.bus_filters) status["bus"]["filters"].push_back(filter_row(filter));
  status["clients_total"] = sums_row(report.server);
  status["clients"] = Json::array();
  std::size_t left_bytes = kMostBytes - std::min(kMostBytes, dump(status).size());
  for (const ClientSnapshot& client : report.server.clients) {
    Json row = client_row(client);
    const std::size_t size_bytes = dump(row).size() + 1;
    if (size_bytes > left_bytes) {
      status["Truncated"] = true;
      break;
    }
    left_bytes -= size_bytes;
    status["clients"].push_back(std::move(row));
  }
  return dump(status);
}

}  // namespace nfbus::host
