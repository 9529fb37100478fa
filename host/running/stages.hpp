// Holds what a host consists of, in the order of the flow. The states of pipeline.hpp own one and hand it on.
#pragma once

#include "bus/bus.hpp"
#include "bus/server/server.hpp"
#include "capture/source.hpp"
#include "config/config.hpp"
#include "event/topic.hpp"
#include "formats/format.hpp"
#include "plugins/instance.hpp"
#include "plugins/registry.hpp"
#include "privileged/helper.hpp"
#include "report/long_calls.hpp"
#include "report/metrics_server.hpp"
#include "report/own_events.hpp"
#include "report/status_report.hpp"
#include "running/bus_filters.hpp"
#include "running/group_filters.hpp"
#include "running/pieces.hpp"
#include "running/sinks.hpp"
#include "running/sources.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Thread safety: [control], but for what says otherwise.
struct Stages {
  // parts: null where none run. calls: all those into its plugins. Both outlive it.
  Stages(Config of, PluginRegistry found, PrivilegedParts* parts, RunningCalls& calls);
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;
  ~Stages();

  [[nodiscard]] SourceContext source_context();
  void open_server(Listener listener);
  // Listens, if metrics are configured.
  Result<void> open_metrics();
  // Sources are asked to end, and nobody waits for room any more.
  void stop_sources() noexcept;

  // [any] Publishes a message of a plugin; false: its topic is one of the host's own.
  bool publish_message(std::string_view topic, std::string_view text, const MessageOrigin& origin);
  // [any] Publishes what the host says of itself, under kOwnTopics.
  void publish_own(std::string_view topic, std::string_view text);
  // [any] The numbers; without an argument not on the server's thread.
  [[nodiscard]] StatusReport report() const;
  [[nodiscard]] StatusReport report(ServerSnapshot server) const;
  // [any] A line for each thing that keeps the host, or a sink, from its work; not healthy: for good.
  [[nodiscard]] HealthPage health() const;
  void log_counters() const;

  Config config;
  PluginRegistry plugins;

  // Destroyed from the end of the flow.
  SlabPool slabs;
  BatchPool batches;
  TopicTable topics;
  FormatSet formats;
  Bus bus;
  SharedServices services;
  Sinks sinks;
  GroupFilters group_filters{bus};
  PrivilegedHelper* helper = nullptr;  // null: none is needed
  Sources sources;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  LossReporter losses;
  LongCalls long_calls;
  BusFilters bus_filters{bus};
  std::unique_ptr<Server> server;
  std::optional<MetricsServer> metrics;
};

}  // namespace nfbus::host
