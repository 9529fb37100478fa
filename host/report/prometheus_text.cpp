#include "report/prometheus_text.hpp"

#include "report/counters.hpp"

#include <nfbus/version.h>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
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

double count(std::uint64_t n) { return static_cast<double>(n); }
double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

MetricType metric_type(CounterType type) noexcept { return type == CounterType::total ? kCounter : kGauge; }

// What a row of counters is of.
template <class Of>
struct Labelled {
  Labels labels;
  const Of* of;
};

std::vector<Labelled<SourceSnapshot>> rows_of(const std::vector<SourceSnapshot>& sources) {
  std::vector<Labelled<SourceSnapshot>> rows;
  rows.reserve(sources.size());
  for (const auto& source : sources) rows.push_back({{{"source", source.name}}, &source});
  return rows;
}

std::vector<Labelled<CaptureSnapshot>> rows_of(const std::vector<CaptureSnapshot>& captures) {
  std::vector<Labelled<CaptureSnapshot>> rows;
  rows.reserve(captures.size());
  for (const auto& capture : captures) rows.push_back({{{"group", std::to_string(capture.group)}}, &capture});
  return rows;
}

std::vector<Labelled<SinkSnapshot>> rows_of(const std::vector<SinkSnapshot>& sinks) {
  std::vector<Labelled<SinkSnapshot>> rows;
  rows.reserve(sinks.size());
  for (const auto& sink : sinks) rows.push_back({{{"sink", sink.name}, {"plugin", sink.plugin}}, &sink});
  return rows;
}

Labelled<FilterSnapshot> row_of(const FilterSnapshot& filter, std::string of) {
  return {{{"filter", filter.name}, {"plugin", filter.plugin}, {"of", std::move(of)}}, &filter};
}

// Those of the captures, then those of each sink, then those of the bus.
std::vector<Labelled<FilterSnapshot>> filter_rows(const StatusReport& report) {
  std::vector<Labelled<FilterSnapshot>> rows;
  for (const CaptureFilterSnapshot& shared : report.capture_filters) rows.push_back(row_of(shared.filter, shared.of()));
  for (const SinkSnapshot& sink : report.sinks) {
    for (const FilterSnapshot& filter : sink.filters) rows.push_back(row_of(filter, "sink." + sink.name));
  }
  for (const FilterSnapshot& filter : report.bus_filters) rows.push_back(row_of(filter, "bus"));
  return rows;
}

class Exposition {
 public:
  // A family with one sample, of the host as a whole.
  void add(MetricType type, const char* name, const char* help, double value, Labels labels = {}) {
    add_sample(add_family(type, name, help), std::move(labels), value);
  }

  // A family for the counter, with a sample for each row.
  template <class Of>
  void add(std::string_view prefix, const CounterOf<Of>& counter, const std::vector<Labelled<Of>>& rows) {
    MetricFamily& family = add_family(metric_type(counter.type), metric_name(prefix, counter), counter.help);
    for (const Labelled<Of>& row : rows) {
      const double value = std::visit([](const auto n) { return static_cast<double>(n); }, counter.value(*row.of));
      add_sample(family, row.labels, value);
    }
  }

  // A family for the plugins' own counters, with a sample for each of them in each row.
  template <class Of>
  void add_own(const char* name, const char* help, const std::vector<Labelled<Of>>& rows) {
    MetricFamily& family = add_family(kCounter, name, help);
    for (const Labelled<Of>& row : rows) {
      for (const auto& [own_name, value] : row.of->own) {
        Labels labels = row.labels;
        labels.push_back({"name", own_name});
        add_sample(family, std::move(labels), count(value));
      }
    }
  }

  MetricFamily& add_family(MetricType type, std::string name, const char* help) {
    return families_.emplace_back(MetricFamily{.name = std::move(name), .help = help, .type = type, .metric = {}});
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

void add_process(Exposition& out, const StatusReport& report) {
  out.add(kGauge, "nfbus_build_info", "Always 1.", 1, {{"version", NFBUS_VERSION}});
  out.add(kGauge, "process_resident_memory_bytes", "Memory of the host's process.",
          count(report.process.resident_bytes));
  out.add(kCounter, "process_cpu_seconds_total", "Time on the CPU, user and system, of all threads.",
          seconds(report.process.cpu));
  out.add(kGauge, "nfbus_uptime_seconds", "Since the host started.", seconds(report.uptime));
  out.add(kCounter, "nfbus_log_dropped_lines_total", "Lines of the log dropped since its reader is too slow.",
          count(report.log_dropped));
}

void add_sources(Exposition& out, const std::vector<SourceSnapshot>& sources) {
  const auto rows = rows_of(sources);
  for (const auto& counter : source_counters()) out.add("nfbus_source_", counter, rows);
}

void add_captures(Exposition& out, const std::vector<CaptureSnapshot>& captures) {
  const auto rows = rows_of(captures);
  for (const auto& counter : capture_counters()) out.add("nfbus_capture_", counter, rows);
}

void add_states(Exposition& out, const std::vector<Labelled<SinkSnapshot>>& sinks) {
  MetricFamily& family = out.add_family(kGauge, "nfbus_sink_state", "1 for the state that the sink is in, else 0.");
  for (const auto& sink : sinks) {
    for (const SinkState state : kSinkStates) {
      Labels labels = sink.labels;
      labels.push_back({"state", std::string(to_string(state))});
      Exposition::add_sample(family, std::move(labels), sink.of->health.state == state ? 1 : 0);
    }
  }
}

void add_sinks(Exposition& out, const std::vector<SinkSnapshot>& sinks) {
  const auto rows = rows_of(sinks);
  for (const auto type : {CounterType::total, CounterType::level}) {  // what waits stands last
    for (const auto& counter : sink_counters()) {
      if (counter.type == type) out.add("nfbus_sink_", counter, rows);
    }
  }
  add_states(out, rows);
  out.add_own("nfbus_sink_own_total", "What the sink's plugin counts, by name.", rows);
}

void add_filters(Exposition& out, const StatusReport& report) {
  const auto rows = filter_rows(report);
  for (const auto& counter : filter_counters()) out.add("nfbus_filter_", counter, rows);
  out.add_own("nfbus_filter_own_total", "What the filter's plugin counts, by name.", rows);
}

void add_clients(Exposition& out, const ServerSnapshot& server) {
  const std::vector<Labelled<ServerSnapshot>> sums{{.labels = {}, .of = &server}};
  for (const auto& counter : bus_counters()) out.add("nfbus_bus_", counter, sums);
  for (const ClientCounter& counter : client_counters()) out.add("nfbus_clients_", counter, sums);
  const std::vector<Labelled<ReceivedCounters>> sent{{.labels = {}, .of = &server.totals.received}};
  for (const auto& counter : sent_counters()) out.add("nfbus_clients_sent_", counter, sent);
}

}  // namespace

std::string to_prometheus_text(const StatusReport& report) {
  Exposition out;
  add_process(out, report);
  add_sources(out, report.sources);
  add_captures(out, report.captures);
  add_sinks(out, report.sinks);
  add_filters(out, report);
  add_clients(out, report.server);
  return out.text();
}

}  // namespace nfbus::host
