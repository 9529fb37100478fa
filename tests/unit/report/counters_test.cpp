#include "report/counters.hpp"

#include "report/log_lines.hpp"
#include "report/prometheus_text.hpp"
#include "report/status_report.hpp"
#include "report/status_table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nfbus::host {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

// Numbers that occur once each, so that none can stand for another.
StatusReport made_report() {
  const SourceSnapshot source{.name = "nflog",
                              .state = SourceState::ended,
                              .received = 601,
                              .published = 602,
                              .filtered = 603,
                              .malformed = 604,
                              .refused = 605};
  const CaptureSnapshot capture{.group = 7,
                                .action = Action::blocked,
                                .received = 101,
                                .lost = 102,
                                .published = 103,
                                .not_forwarded = 104,
                                .filtered = 105,
                                .decode_errors = 106,
                                .enobufs = 107,
                                .unseen_drops = 108};
  const FilterSnapshot filter{.name = "few",
                              .plugin = "sample",
                              .failures = 201,
                              .heard = 202,
                              .unheard = 203,
                              .own = {{"kept", 204}},
                              .call = std::nullopt};
  SinkSnapshot sink{
      .name = "drops",
      .plugin = "pcap",
      .target = "/var/log/drops",
      .health = {.state = SinkState::retrying, .since_ns = 1'700'000'000'000'000'000, .last_error = "the disk is full"},
      .limits = {.events = 309, .bytes = 310, .overflow = Overflow::drop_oldest},
      .events = {.published = 301,
                 .recovered = 311,
                 .delivered = 302,
                 .filtered = 303,
                 .overflowed = 304,
                 .rejected = 305,
                 .corrupted = 312,
                 .queued = 306,
                 .spilled = 313},
      .retries = 307,
      .dead_letters = 314,
      .spill = {.size_bytes = 315, .oldest_age = std::chrono::milliseconds(316'500)},
      .own = {{"missed", 308}},
      .call = RunningCall{.instance = "sink.drops",
                          .function = "write",
                          .lasts = std::chrono::milliseconds(34'500),
                          .thread = 1,
                          .number = 1},
      .filters = {filter}};
  ClientSnapshot client{
      .id = 401,
      .peer = {.pid = 402, .uid = 403},
      .since = std::chrono::steady_clock::now(),
      .topics = {"nft:"},
      .published = 404,
      .delivered = 405,
      .filtered = 406,
      .overflowed = 407,
      .queued = 408,
      .queued_bytes = 409,
      .sent_by_it = {
          .received = 410, .relayed = 411, .subscribed = 412, .invalid = 413, .not_text = 414, .refused = 415}};
  ServerSnapshot server{.totals = {.received = {.received = 501,
                                                .relayed = 502,
                                                .subscribed = 503,
                                                .invalid = 504,
                                                .not_text = 505,
                                                .refused = 506},
                                   .published = 507,
                                   .delivered = 508,
                                   .filtered = 509,
                                   .overflowed = 510,
                                   .queued = 511,
                                   .left = 512,
                                   .kept_back = 518},
                        .clients = {client},
                        .connected = 513,
                        .connections = 514,
                        .turned_away = 515,
                        .too_long = 516,
                        .waiting_bytes = 517,
                        .cpu = std::chrono::milliseconds(1500),
                        .old = true};
  return {.uptime = std::chrono::seconds(60),
          .process = {.resident_bytes = 1 << 20, .cpu = std::chrono::seconds(1)},
          .topic_root = "nft:",
          .helper = HelperState::running,
          .sources = {source, {.name = "other"}},
          .captures = {capture},
          .capture_filters = {{.filter = filter, .groups = {7}}},
          .sinks = {sink},
          .bus_filters = {{.name = "ip_only",
                           .plugin = "match",
                           .failures = 701,
                           .heard = 702,
                           .unheard = 703,
                           .own = {},
                           .call = {}}},
          .log_dropped = 0,
          .server = server};
}

template <class Of>
double number(const CounterOf<Of>& counter, const Of& of) {
  return std::visit([](const auto n) { return static_cast<double>(n); }, counter.value(of));
}

template <class Of>
std::string text(const CounterOf<Of>& counter, const Of& of) {
  return std::visit([](const auto n) { return fmt::format("{}", n); }, counter.value(of));
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

// The first row's cell below the title, in the table of that name; empty: there is no such column.
std::string cell(const std::string& tables, const std::string& table, const std::string& title) {
  std::istringstream in(tables.substr(tables.find("\n" + table + "\n") + table.size() + 2));
  std::string line;
  std::getline(in, line);
  const auto titles = words(line);
  std::getline(in, line);
  const auto cells = words(line);
  const auto found = static_cast<std::size_t>(std::find(titles.begin(), titles.end(), title) - titles.begin());
  return found < cells.size() && found < titles.size() ? cells[found] : "";
}

// The four outputs of a report.
class Counters : public testing::Test {
 protected:
  [[nodiscard]] std::string table() const { return status_table(status_.dump()).value(); }

  // A counter's value in a row of the status, and as a sample with such labels.
  template <class Of>
  void expect_reported(const CounterOf<Of>& counter, const Of& of, const Json& row, const std::string& metric) const {
    EXPECT_EQ(row.at(status_name(counter)), number(counter, of));
    expect_sample(metric, number(counter, of));
  }
  void expect_sample(const std::string& metric, double value) const {
    EXPECT_THAT(metrics_, HasSubstr(fmt::format("\n{} {}\n", metric, value)));
  }

  const StatusReport report_ = made_report();
  Json status_ = Json::parse(to_json(report_));
  const std::string metrics_ = to_prometheus_text(report_);
};

TEST_F(Counters, OfASourceShowInStatusTableMetricsAndLog) {
  const SourceSnapshot& source = report_.sources.front();
  for (const auto& counter : source_counters()) {
    expect_reported(counter, source, status_["sources"][0],
                    metric_name("nfbus_source_", counter) + R"({source="nflog"})");
    EXPECT_EQ(cell(table(), "sources", status_name(counter)), text(counter, source));
    EXPECT_THAT(words(log_line(source)), testing::Contains(status_name(counter) + "=" + text(counter, source)));
  }
  EXPECT_EQ(status_["sources"][0]["state"], "ended");
  EXPECT_EQ(status_["sources"][1]["state"], "running");
  status_["sources"].erase(1);
  EXPECT_THAT(table(), Not(HasSubstr("\nsources\n")));
}

TEST_F(Counters, OfAGroupShowInStatusTableMetricsAndLog) {
  const CaptureSnapshot& capture = report_.captures.front();
  for (const auto& counter : capture_counters()) {
    expect_reported(counter, capture, status_["capture"][0], metric_name("nfbus_capture_", counter) + R"({group="7"})");
    EXPECT_EQ(cell(table(), "groups", status_name(counter)), text(counter, capture));
    EXPECT_THAT(words(log_line(capture)), testing::Contains(status_name(counter) + "=" + text(counter, capture)));
  }
}

TEST_F(Counters, ASinkTellsItsTargetItsTroubleItsLimitsAndTheCallThatLasts) {
  const Json& row = status_["sinks"][0];
  EXPECT_EQ(row["target"], "/var/log/drops");
  EXPECT_EQ(row["state"], "retrying");
  EXPECT_EQ(row["state_since"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(row["last_error"], "the disk is full");
  EXPECT_EQ(row["queue_limit"], 309);
  EXPECT_EQ(row["queue_bytes_limit"], 310);
  EXPECT_EQ(row["call"], "write");
  EXPECT_EQ(row["call_s"], 34.5);
  EXPECT_EQ(status_["capture"][0]["action"], "blocked");
  EXPECT_THAT(table(), HasSubstr("in write() for 34 s"));
  EXPECT_THAT(table(), HasSubstr("  drops is retrying since 2023-11-14T22:13:20Z: the disk is full\n"));
}

TEST_F(Counters, OfASinkShowInStatusTableMetricsAndLog) {
  const SinkSnapshot& sink = report_.sinks.front();
  for (const auto& counter : sink_counters()) {
    expect_reported(counter, sink, status_["sinks"][0],
                    metric_name("nfbus_sink_", counter) + R"({sink="drops",plugin="pcap"})");
    EXPECT_THAT(words(log_line(sink)), testing::Contains(status_name(counter) + "=" + text(counter, sink)));
    status_["sinks"][0][status_name(counter)] = 999;  // those of a disk queue have no column while they are zero
    EXPECT_EQ(cell(table(), "sinks", status_name(counter)), "999");
  }
}

TEST_F(Counters, OfAFilterShowInStatusTableMetricsAndLog) {
  const FilterSnapshot& filter = report_.capture_filters.front().filter;
  for (const auto& counter : filter_counters()) {
    for (const std::string_view of : {"capture.7", "sink.drops"}) {
      const Json& rows = of == "capture.7" ? status_["filters"] : status_["sinks"][0]["filters"];
      expect_reported(
          counter, filter, rows.at(0),
          fmt::format(R"({}{{filter="few",plugin="sample",of="{}"}})", metric_name("nfbus_filter_", counter), of));
      EXPECT_THAT(words(log_line(filter, of)), testing::Contains(status_name(counter) + "=" + text(counter, filter)));
    }
    EXPECT_EQ(cell(table(), "filters", status_name(counter)), text(counter, filter));
  }
}

TEST_F(Counters, OfAllClientsShowInStatusAndMetrics) {
  for (const ClientCounter& counter : client_counters()) {
    expect_sample(metric_name("nfbus_clients_", counter), number(counter, report_.server));
    if (counter.in_status_sums) {
      EXPECT_EQ(status_["clients_total"].at(status_name(counter)), number(counter, report_.server));
    }
  }
  for (const auto& counter : sent_counters()) {
    expect_reported(counter, report_.server.totals.received, status_["clients_total"]["sent"],
                    metric_name("nfbus_clients_sent_", counter));
  }
  EXPECT_EQ(status_["memory"]["clients_bytes"], 517);
}

TEST_F(Counters, OfTheBusShowInStatusTableMetricsAndLog) {
  for (const auto& counter : bus_counters()) {
    expect_reported(counter, report_.server, status_["bus"], metric_name("nfbus_bus_", counter));
    EXPECT_EQ(cell(table(), "bus", status_name(counter)), text(counter, report_.server));
    EXPECT_THAT(words(bus_log_line(report_.server)),
                testing::Contains(status_name(counter) + "=" + text(counter, report_.server)));
  }
  EXPECT_EQ(status_["bus"]["filtered"], 518);
  expect_sample("nfbus_bus_filtered_total", 518);
  EXPECT_EQ(status_["bus"]["filters"][0]["name"], "ip_only");
  EXPECT_EQ(status_["bus"]["filters"][0]["failures"], 701);
  expect_sample(R"(nfbus_filter_heard_total{filter="ip_only",plugin="match",of="bus"})", 702);
  EXPECT_THAT(table(), HasSubstr("  ip_only  match   bus"));
  // Nobody who has no filters there sees a table of them.
  status_["bus"] = {{"filtered", 0}, {"filters", Json::array()}};
  EXPECT_THAT(table(), Not(HasSubstr("\nbus\n")));
  status_.erase("bus");
  EXPECT_TRUE(status_table(status_.dump()));
}

TEST_F(Counters, OfEachClientShowInStatusAndTable) {
  const ClientSnapshot& client = report_.server.clients.front();
  for (const ClientCounter& counter : client_counters()) {
    if (counter.of_each == nullptr) continue;
    const Json value = std::visit([](const auto n) { return Json(n); }, counter.of_each(client));
    EXPECT_EQ(status_["clients"][0].at(status_name(counter)), value);
    EXPECT_EQ(cell(table(), "clients", status_name(counter)),
              counter.on_terminal == OnTerminal::always ? value.dump() : "");
  }
  for (const auto& counter : sent_counters()) {
    EXPECT_EQ(status_["clients"][0]["sent"].at(status_name(counter)), number(counter, client.sent_by_it));
  }
}

TEST_F(Counters, OfPluginsShowInStatusTableMetricsAndLog) {
  EXPECT_EQ(status_["sinks"][0]["counters"], Json({{"missed", 308}}));
  EXPECT_EQ(cell(table(), "sinks", "counters"), "missed=308");
  expect_sample(R"(nfbus_sink_own_total{sink="drops",plugin="pcap",name="missed"})", 308);
  EXPECT_THAT(log_line(report_.sinks.front()), testing::EndsWith(" missed=308"));
  EXPECT_EQ(status_["filters"][0]["counters"], Json({{"kept", 204}}));
  EXPECT_EQ(cell(table(), "filters", "counters"), "kept=204");
  expect_sample(R"(nfbus_filter_own_total{filter="few",plugin="sample",of="capture.7",name="kept"})", 204);
  EXPECT_THAT(log_line(report_.capture_filters.front().filter, "capture.7"), testing::EndsWith(" kept=204"));
}

TEST_F(Counters, StandForWhatTheyAreNamedAfter) {
  const auto expect_words = [](const Json& row, const Json& expected) {
    for (const auto& [word, value] : expected.items()) EXPECT_EQ(row.at(word), value) << word;
  };
  expect_words(status_["capture"][0], {{"received", 101},
                                       {"lost", 102},
                                       {"published", 103},
                                       {"not_forwarded", 104},
                                       {"filtered", 105},
                                       {"decode_errors", 106},
                                       {"enobufs", 107},
                                       {"unseen_drops", 108}});
  expect_words(status_["filters"][0], {{"failures", 201}, {"heard", 202}, {"unheard", 203}});
  expect_words(status_["sinks"][0], {{"published", 301},
                                     {"delivered", 302},
                                     {"filtered", 303},
                                     {"overflowed", 304},
                                     {"rejected", 305},
                                     {"queued", 306},
                                     {"retries", 307},
                                     {"recovered", 311},
                                     {"corrupted", 312},
                                     {"spilled", 313},
                                     {"dead_letters", 314},
                                     {"spilled_bytes", 315},
                                     {"spill_age_s", 316.5}});
  expect_words(status_["clients"][0], {{"published", 404},
                                       {"delivered", 405},
                                       {"filtered", 406},
                                       {"overflowed", 407},
                                       {"queued", 408},
                                       {"queued_bytes", 409}});
  expect_words(status_["clients_total"], {{"published", 507},
                                          {"delivered", 508},
                                          {"filtered", 509},
                                          {"overflowed", 510},
                                          {"queued", 511},
                                          {"left", 512},
                                          {"connected", 513},
                                          {"connections", 514},
                                          {"turned_away", 515},
                                          {"too_long", 516},
                                          {"cpu_s", 1.5}});
  expect_words(status_["clients_total"]["sent"], {{"received", 501},
                                                  {"relayed", 502},
                                                  {"subscribed", 503},
                                                  {"invalid", 504},
                                                  {"not_text", 505},
                                                  {"refused", 506}});
  expect_sample("nfbus_clients_cpu_seconds_total", 1.5);
  expect_sample("nfbus_clients_queued_bytes", 517);
  expect_sample("nfbus_clients_old", 1);
}

TEST_F(Counters, ThatFewHaveTakeAColumnOnlyWhereOneHasThem) {
  for (const char* const few : {"corrupted", "recovered"}) status_["sinks"][0][few] = 0;
  EXPECT_EQ(cell(table(), "sinks", "corrupted"), "");
  status_["sinks"][0].erase("counters");
  EXPECT_THAT(table(), Not(HasSubstr("retries  counters")));
  Json other = status_["sinks"][0];
  other["recovered"] = 1;
  other["counters"] = {{"missed", 2}, {"late", 3}};
  status_["sinks"].push_back(other);
  EXPECT_EQ(cell(table(), "sinks", "recovered"), "0");
  EXPECT_EQ(cell(table(), "sinks", "counters"), "-");
  EXPECT_THAT(table(), HasSubstr("  missed=2 late=3  in write() for 34 s\n"));
}

TEST_F(Counters, ThatAHostOfAnotherVersionDoesNotTellAreADash) {
  status_["capture"][0].erase("unseen_drops");
  EXPECT_EQ(cell(table(), "groups", "unseen_drops"), "-");
  status_.erase("sinks");
  EXPECT_FALSE(status_table(status_.dump()));
  EXPECT_FALSE(status_table("no json"));
}

TEST(CounterNames, AreThereOnceInEachOutput) {
  const auto expect_unique = [](const auto& counters) {
    std::set<std::string> in_status;
    std::set<std::string> in_metrics;
    for (const auto& counter : counters) {
      EXPECT_TRUE(in_status.insert(status_name(counter)).second) << counter.name;
      EXPECT_TRUE(in_metrics.insert(metric_name("nfbus_", counter)).second) << counter.name;
    }
  };
  expect_unique(capture_counters());
  expect_unique(filter_counters());
  expect_unique(sink_counters());
  expect_unique(bus_counters());
  expect_unique(client_counters());
  expect_unique(sent_counters());
}

}  // namespace
}  // namespace nfbus::host
