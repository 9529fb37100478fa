#include "report/status_report.hpp"

#include "bus/server/wire_line.hpp"
#include "formats/json_writer.hpp"

#include <nfbus/version.h>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

// What a wire line may hold of this, with the quotes escaped and the topic in front.
constexpr std::size_t kMostBytes = kMostMadeBytes * 3 / 4;

double seconds(std::chrono::steady_clock::duration time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) / 1000;
}

Json capture_row(const CaptureSnapshot& c) {
  return {{"group", c.group},
          {"received", c.received},
          {"lost", c.lost},
          {"published", c.published},
          {"not_forwarded", c.not_forwarded},
          {"filtered", c.filtered},
          {"decode_errors", c.decode_errors},
          {"enobufs", c.enobufs},
          {"unseen_drops", c.unseen_drops}};
}

Json counters_of(const OwnCounters& own) {
  Json counters = Json::object();
  for (const auto& [name, value] : own) counters[name] = value;
  return counters;
}

Json filter_row(const FilterSnapshot& f) {
  return {{"name", f.name},   {"plugin", f.plugin},   {"failures", f.failures},
          {"heard", f.heard}, {"unheard", f.unheard}, {"counters", counters_of(f.own)}};
}

Json sink_row(const SinkSnapshot& s) {
  Json row = {{"name", s.name},
              {"plugin", s.plugin},
              {"state", to_string(s.state)},
              {"published", s.events.published},
              {"delivered", s.events.delivered},
              {"filtered", s.events.filtered},
              {"overflowed", s.events.overflowed},
              {"rejected", s.events.rejected},
              {"corrupted", 0},
              {"queued", s.events.queued},
              {"spilled", 0},
              {"recovered", 0},
              {"retries", s.retries}};
  if (!s.own.empty()) row["counters"] = counters_of(s.own);
  for (const FilterSnapshot& filter : s.filters) row["filters"].push_back(filter_row(filter));
  return row;
}

void add_received(Json& row, const ReceivedCounters& received) {
  row["sent"] = {{"received", received.received}, {"relayed", received.relayed},   {"subscribed", received.subscribed},
                 {"invalid", received.invalid},   {"not_text", received.not_text}, {"refused", received.refused}};
}

Json client_row(const ClientSnapshot& c) {
  Json row = {{"id", c.id},
              {"pid", c.peer.pid},
              {"uid", c.peer.uid},
              {"connected_s", seconds(std::chrono::steady_clock::now() - c.since)},
              {"topics", c.topics},
              {"published", c.published},
              {"delivered", c.delivered},
              {"filtered", c.filtered},
              {"overflowed", c.overflowed},
              {"queued", c.queued},
              {"queued_bytes", c.queued_bytes}};
  if (c.topics_not_shown != 0) row["topics_not_shown"] = c.topics_not_shown;
  add_received(row, c.sent_by_it);
  return row;
}

Json totals_row(const ServerSnapshot& server) {
  const HubCounters& t = server.totals;
  Json row = {{"connected", server.connected},
              {"connections", server.connections},
              {"turned_away", server.turned_away},
              {"too_long", server.too_long},
              {"published", t.published},
              {"delivered", t.delivered},
              {"filtered", t.filtered},
              {"overflowed", t.overflowed},
              {"left", t.left},
              {"queued", t.queued},
              {"cpu_s", std::chrono::duration<double>(server.cpu).count()}};
  add_received(row, t.received);
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
  status["capture"] = Json::array();
  for (const CaptureSnapshot& capture : report.captures) status["capture"].push_back(capture_row(capture));
  status["filters"] = Json::array();
  for (const CaptureFilterSnapshot& row : report.capture_filters) {
    status["filters"].push_back(filter_row(row.filter));
    status["filters"].back()["groups"] = row.groups;
  }
  status["sinks"] = Json::array();
  for (const SinkSnapshot& sink : report.sinks) status["sinks"].push_back(sink_row(sink));
  status["clients_total"] = totals_row(report.server);
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
