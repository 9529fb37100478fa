#include "report/prometheus_text.hpp"

#include <nfbus/version.h>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr MetricType kCounter = MetricType::Counter;
constexpr MetricType kGauge = MetricType::Gauge;

constexpr std::array kSinkStates{SinkState::running, SinkState::retrying, SinkState::failed, SinkState::stopped};

// One family: a number of each row.
template <class Row>
struct Column {
  MetricType type;
  const char* name;
  const char* help;
  double (*value)(const Row&);
};

double count(std::uint64_t n) { return static_cast<double>(n); }
double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

constexpr std::array<Column<StatusReport>, 4> kProcess{{
    {kGauge, "process_resident_memory_bytes", "Memory of the host's process.",
     [](const auto& r) { return count(r.process.resident_bytes); }},
    {kCounter, "process_cpu_seconds_total", "Time on the CPU, user and system, of all threads.",
     [](const auto& r) { return seconds(r.process.cpu); }},
    {kGauge, "nfbus_uptime_seconds", "Since the host started.", [](const auto& r) { return seconds(r.uptime); }},
    {kCounter, "nfbus_log_dropped_lines_total", "Lines of the log dropped since its reader is too slow.",
     [](const auto& r) { return count(r.log_dropped); }},
}};

constexpr std::array<Column<CaptureSnapshot>, 8> kCaptures{{
    {kCounter, "nfbus_capture_received_total", "Packets that the kernel's group handed over.",
     [](const auto& c) { return count(c.received); }},
    {kCounter, "nfbus_capture_lost_total", "Packets that the kernel logged and could not hand over.",
     [](const auto& c) { return count(c.lost); }},
    {kCounter, "nfbus_capture_published_total", "Packets published on the bus.",
     [](const auto& c) { return count(c.published); }},
    {kCounter, "nfbus_capture_not_forwarded_total", "Packets whose prefix is not among the group's prefixes.",
     [](const auto& c) { return count(c.not_forwarded); }},
    {kCounter, "nfbus_capture_filtered_total", "Packets that the group's filters dropped.",
     [](const auto& c) { return count(c.filtered); }},
    {kCounter, "nfbus_capture_decode_errors_total", "Packets published with a DecodeError.",
     [](const auto& c) { return count(c.decode_errors); }},
    {kCounter, "nfbus_capture_enobufs_total", "Times that the group's receive buffer ran over.",
     [](const auto& c) { return count(c.enobufs); }},
    {kGauge, "nfbus_capture_unseen_drops",
     "Datagrams dropped by the kernel that no later packet may have told of yet, at most.",
     [](const auto& c) { return count(c.unseen_drops); }},
}};

constexpr std::array<Column<SinkSnapshot>, 10> kSinks{{
    {kCounter, "nfbus_sink_published_total", "Events published to the sink.",
     [](const auto& s) { return count(s.events.published); }},
    {kCounter, "nfbus_sink_delivered_total", "Events that the sink accepted.",
     [](const auto& s) { return count(s.events.delivered); }},
    {kCounter, "nfbus_sink_filtered_total", "Events that the sink's filters dropped.",
     [](const auto& s) { return count(s.events.filtered); }},
    {kCounter, "nfbus_sink_overflowed_total", "Events dropped since the sink's queue was full.",
     [](const auto& s) { return count(s.events.overflowed); }},
    {kCounter, "nfbus_sink_rejected_total", "Events that the sink refused for good.",
     [](const auto& s) { return count(s.events.rejected); }},
    {kCounter, "nfbus_sink_corrupted_total", "Spilled events that could not be read again.",
     [](const auto&) { return 0.0; }},
    {kCounter, "nfbus_sink_recovered_total", "Events found in the sink's spill at the start.",
     [](const auto&) { return 0.0; }},
    {kCounter, "nfbus_sink_retries_total", "Calls that the sink asked to repeat.",
     [](const auto& s) { return count(s.retries); }},
    {kGauge, "nfbus_sink_queued", "Events that wait for the sink, in memory.",
     [](const auto& s) { return count(s.events.queued); }},
    {kGauge, "nfbus_sink_spilled", "Events that wait for the sink, on disk.", [](const auto&) { return 0.0; }},
}};

struct FilterRow {
  std::string of;  // what the filter belongs to
  const FilterSnapshot* filter;
};

constexpr std::array<Column<FilterRow>, 3> kFilters{{
    {kCounter, "nfbus_filter_failures_total", "Calls of the filter that failed; their events were kept.",
     [](const auto& f) { return count(f.filter->failures); }},
    {kCounter, "nfbus_filter_heard_total", "Messages of the bus that the filter was given.",
     [](const auto& f) { return count(f.filter->heard); }},
    {kCounter, "nfbus_filter_unheard_total", "Messages of the bus that waited for the filter too long.",
     [](const auto& f) { return count(f.filter->unheard); }},
}};

constexpr std::array<Column<ServerSnapshot>, 19> kClients{{
    {kGauge, "nfbus_clients_connected", "Clients of the bus socket.",
     [](const auto& s) { return static_cast<double>(s.connected); }},
    {kCounter, "nfbus_clients_connections_total", "Clients that ever connected.",
     [](const auto& s) { return count(s.connections); }},
    {kCounter, "nfbus_clients_turned_away_total", "Connections for which there was no place.",
     [](const auto& s) { return count(s.turned_away); }},
    {kCounter, "nfbus_clients_too_long_total", "Connections closed since a line was too long.",
     [](const auto& s) { return count(s.too_long); }},
    {kCounter, "nfbus_clients_published_total", "Lines published to clients; a line counts for each of them.",
     [](const auto& s) { return count(s.totals.published); }},
    {kCounter, "nfbus_clients_delivered_total", "Lines that were sent to clients.",
     [](const auto& s) { return count(s.totals.delivered); }},
    {kCounter, "nfbus_clients_filtered_total", "Lines that a client's match did not want.",
     [](const auto& s) { return count(s.totals.filtered); }},
    {kCounter, "nfbus_clients_overflowed_total", "Lines dropped since a client did not keep up.",
     [](const auto& s) { return count(s.totals.overflowed); }},
    {kCounter, "nfbus_clients_left_total", "Lines that waited for clients that went away.",
     [](const auto& s) { return count(s.totals.left); }},
    {kGauge, "nfbus_clients_queued", "Lines that wait for clients.",
     [](const auto& s) { return count(s.totals.queued); }},
    {kGauge, "nfbus_clients_queued_bytes", "Memory of the lines that wait for clients.",
     [](const auto& s) { return static_cast<double>(s.waiting_bytes); }},
    {kGauge, "nfbus_clients_old", "1 while the thread that serves clients does not answer: its last numbers are shown.",
     [](const auto& s) { return s.old ? 1.0 : 0.0; }},
    {kCounter, "nfbus_clients_cpu_seconds_total", "Time on the CPU of the thread that serves clients.",
     [](const auto& s) { return seconds(s.cpu); }},
    {kCounter, "nfbus_clients_sent_received_total", "Lines that clients sent.",
     [](const auto& s) { return count(s.totals.received.received); }},
    {kCounter, "nfbus_clients_sent_relayed_total", "Of them, published on the bus.",
     [](const auto& s) { return count(s.totals.received.relayed); }},
    {kCounter, "nfbus_clients_sent_subscribed_total", "Of them, subscriptions and their ends.",
     [](const auto& s) { return count(s.totals.received.subscribed); }},
    {kCounter, "nfbus_clients_sent_invalid_total", "Of them, no JSON object with a topic.",
     [](const auto& s) { return count(s.totals.received.invalid); }},
    {kCounter, "nfbus_clients_sent_not_text_total", "Of them, messages whose value is no string.",
     [](const auto& s) { return count(s.totals.received.not_text); }},
    {kCounter, "nfbus_clients_sent_refused_total", "Of them, refused: a topic of the host's own, a wrong match.",
     [](const auto& s) { return count(s.totals.received.refused); }},
}};

Labels labels_of(const StatusReport& /*report*/) { return {}; }
Labels labels_of(const ServerSnapshot& /*server*/) { return {}; }
Labels labels_of(const CaptureSnapshot& capture) { return {{"group", std::to_string(capture.group)}}; }
Labels labels_of(const SinkSnapshot& sink) { return {{"sink", sink.name}, {"plugin", sink.plugin}}; }

Labels labels_of(const FilterRow& row) {
  return {{"filter", row.filter->name}, {"plugin", row.filter->plugin}, {"of", row.of}};
}

class Exposition {
 public:
  // A family for each column, with a sample for each row.
  template <class Row, std::size_t Count>
  void add(const std::array<Column<Row>, Count>& columns, std::span<const Row> rows) {
    for (const auto& column : columns) {
      MetricFamily& family = add_family(column.type, column.name, column.help);
      for (const Row& row : rows) add_sample(family, labels_of(row), column.value(row));
    }
  }

  MetricFamily& add_family(MetricType type, const char* name, const char* help) {
    return families_.emplace_back(MetricFamily{.name = name, .help = help, .type = type, .metric = {}});
  }

  static void add_sample(MetricFamily& family, Labels labels, double value) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    (family.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
  }

  [[nodiscard]] std::string text() {
    std::erase_if(families_, [](const MetricFamily& family) { return family.metric.empty(); });
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  std::vector<MetricFamily> families_;
};

void add_states(Exposition& out, const std::vector<SinkSnapshot>& sinks) {
  MetricFamily& family = out.add_family(kGauge, "nfbus_sink_state", "1 for the state that the sink is in, else 0.");
  for (const SinkSnapshot& sink : sinks) {
    for (const SinkState state : kSinkStates) {
      Labels labels = labels_of(sink);
      labels.push_back({"state", std::string(to_string(state))});
      Exposition::add_sample(family, std::move(labels), sink.state == state ? 1 : 0);
    }
  }
}

void add_own(MetricFamily& family, const Labels& labels, const OwnCounters& own) {
  for (const auto& [name, value] : own) {
    Labels with_name = labels;
    with_name.push_back({"name", name});
    Exposition::add_sample(family, std::move(with_name), count(value));
  }
}

void add_filters(Exposition& out, const StatusReport& report) {
  std::vector<FilterRow> rows;
  for (const CaptureFilterSnapshot& row : report.capture_filters) {
    rows.push_back({.of = row.of(), .filter = &row.filter});
  }
  for (const SinkSnapshot& sink : report.sinks) {
    for (const FilterSnapshot& filter : sink.filters) rows.push_back({.of = "sink." + sink.name, .filter = &filter});
  }
  out.add(kFilters, std::span<const FilterRow>(rows));
  MetricFamily& own = out.add_family(kCounter, "nfbus_filter_own_total", "What the filter's plugin counts, by name.");
  for (const FilterRow& row : rows) add_own(own, labels_of(row), row.filter->own);
}

}  // namespace

std::string to_prometheus_text(const StatusReport& report) {
  Exposition out;
  MetricFamily& build = out.add_family(kGauge, "nfbus_build_info", "Always 1.");
  Exposition::add_sample(build, {{"version", NFBUS_VERSION}}, 1);
  out.add(kProcess, std::span(&report, 1));
  out.add(kCaptures, std::span<const CaptureSnapshot>(report.captures));
  out.add(kSinks, std::span<const SinkSnapshot>(report.sinks));
  add_states(out, report.sinks);
  MetricFamily& own = out.add_family(kCounter, "nfbus_sink_own_total", "What the sink's plugin counts, by name.");
  for (const SinkSnapshot& sink : report.sinks) add_own(own, labels_of(sink), sink.own);
  add_filters(out, report);
  out.add(kClients, std::span(&report.server, 1));
  return out.text();
}

}  // namespace nfbus::host
