#include "running/stages.hpp"

#include "report/log_lines.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace nfbus::host {

namespace {

// Free slabs and batches kept for reuse: what one capture round and a busy sink hand back and forth, and what a disk
// queue that begins to write gives back at once.
constexpr std::size_t kKeepSlabs = 12;
constexpr std::size_t kKeepBatches = 256;

// The bus's socket: what may wait for one client, and for all of them; a line that several wait for counts once there.
constexpr std::size_t kClientBytes = 8UL << 20U;
constexpr std::size_t kAllClientsBytes = 64UL << 20U;
constexpr std::size_t kMostClients = 4096;

}  // namespace

Stages::Stages(Config of, PluginRegistry found, PrivilegedParts* parts, RunningCalls& calls)
    : config(std::move(of)),
      plugins(std::move(found)),
      slabs(kSlabBytes, kKeepSlabs),
      batches(kKeepBatches),
      topics(config.host.topic_root),
      formats(config.host.device),
      services{.formats = formats,
               .publish = [this](std::string_view topic, std::string_view text,
                                 const MessageOrigin& origin) { return publish_message(topic, text, origin); },
               .fields = known_fields(config, plugins),
               .parts = parts,
               .calls = &calls},
      sinks(bus, formats, [this](const SinkWorker& of_sink, SinkState state, std::string_view why) {
        publish_own(kSinkTopic, sink_event(of_sink.name(), of_sink.plugin(), state, why));
      }) {}

// Whoever asks for the numbers ends first, then whoever fills the queues.
Stages::~Stages() {
  metrics.reset();
  bus_filters.set_waker({});
  server.reset();
  stop_sources();
}

SourceContext Stages::source_context() {
  return {.topics = topics,
          .slabs = slabs,
          .batches = batches,
          .publish = [this](const BatchRef& batch) { bus.publish(batch); },
          .publish_when_room = [this](const BatchRef& batch) { bus.publish_when_room(batch); },
          .is_full = [this] { return bus.is_full(); }};
}

void Stages::open_server(Listener listener) {
  server = std::make_unique<Server>(std::move(listener), bus, formats,
                                    ServerSettings{.hub = {.topic_root = config.host.topic_root,
                                                           .default_format = config.bus.format,
                                                           .with_payload = config.bus.payload == BusPayload::full,
                                                           .fields = services.fields,
                                                           .client_bytes = kClientBytes,
                                                           .total_bytes = kAllClientsBytes,
                                                           .filters = &bus_filters},
                                                   .most_clients = kMostClients},
                                    [this](const ServerSnapshot& now) { return to_json(report(now)); });
  bus_filters.set_waker([this] { server->wake(); });
}

Result<void> Stages::open_metrics() {
  if (!config.metrics.listen) return {};
  auto opened = MetricsServer::open(config.metrics);
  if (!opened) return std::move(opened).error();
  metrics.emplace(std::move(opened).value());
  log::info(fmt::format("metrics: http://{}/metrics", metrics->address()));
  return {};
}

void Stages::stop_sources() noexcept {
  sources.stop();
  bus.end_waiting();
}

bool Stages::publish_message(std::string_view topic, std::string_view text, const MessageOrigin& origin) {
  if (topic.starts_with(config.host.topic_root) || topic.starts_with(kOwnTopics)) return false;
  bus.publish(make_message(topic, text, realtime_ns(), ::getuid(), origin));
  return true;
}

void Stages::publish_own(std::string_view topic, std::string_view text) {
  bus.publish(make_message(topic, text, realtime_ns(), ::getuid()));
}

StatusReport Stages::report() const { return report(server ? server->snapshot() : ServerSnapshot()); }

StatusReport Stages::report(ServerSnapshot of_server) const {
  return {.uptime = std::chrono::steady_clock::now() - started,
          .process = look_at_process(),
          .topic_root = config.host.topic_root,
          .helper = helper != nullptr ? std::optional(helper->state()) : std::nullopt,
          .sources = sources.counters(),
          .captures = sources.snapshots(),
          .capture_filters = group_filters.snapshots(),
          .sinks = sinks.snapshots(),
          .bus_filters = bus_filters.snapshots(),
          .log_dropped = log::dropped(),
          .server = std::move(of_server)};
}

HealthPage Stages::health() const {
  HealthPage page;
  const auto add = [&page](bool is_healthy, std::string_view line) {
    page.is_healthy = page.is_healthy && is_healthy;
    page.text += fmt::format("{}\n", line);
  };
  if (helper != nullptr && helper->state() != HelperState::running) {
    add(false, "the privileged helper has ended or does not answer");
  }
  for (const auto& [name, health] : sinks.health()) {
    if (health.state == SinkState::failed) add(false, fmt::format("sink.{} has failed: {}", name, health.last_error));
    if (health.state == SinkState::retrying) add(true, fmt::format("sink.{} is retrying: {}", name, health.last_error));
  }
  for (const RunningCall& call : services.calls->longer_than(LongCalls::kLong)) {
    add(true, fmt::format("{} is {}", call.instance, to_string(call)));
  }
  return page;
}

void Stages::log_counters() const {
  // A single source's account is the sum of its groups, which have lines of their own.
  const std::vector<SourceSnapshot> accounts = sources.counters();
  if (accounts.size() > 1) {
    for (const SourceSnapshot& source : accounts) log::info(log_line(source));
  }
  for (const CaptureSnapshot& capture : sources.snapshots()) log::info(log_line(capture));
  for (const CaptureFilterSnapshot& shared : group_filters.snapshots()) {
    log::info(log_line(shared.filter, shared.of()));
  }
  for (const SinkSnapshot& sink : sinks.snapshots()) log_sink(sink);
  const std::vector<FilterSnapshot> of_bus = bus_filters.snapshots();
  if (server && !of_bus.empty()) log::info(bus_log_line(server->snapshot()));
  for (const FilterSnapshot& filter : of_bus) log::info(log_line(filter, "bus"));
  log::info("counters end");
}

}  // namespace nfbus::host
