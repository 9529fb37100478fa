// The numbers of a running host; as one JSON object they are what nfbus:status says.
#pragma once

#include "bus/server/server.hpp"
#include "capture/source.hpp"
#include "delivery/capture_filters.hpp"
#include "delivery/sink_worker.hpp"
#include "privileged/helper.hpp"
#include "report/process.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfbus::host {

struct StatusReport {
  std::chrono::steady_clock::duration uptime;
  ProcessNumbers process;
  std::string topic_root;
  std::optional<HelperState> helper;  // none: a replay needs none
  std::vector<SourceSnapshot> sources;
  std::vector<CaptureSnapshot> captures;
  std::vector<CaptureFilterSnapshot> capture_filters;
  std::vector<SinkSnapshot> sinks;
  std::vector<FilterSnapshot> bus_filters;
  std::uint64_t log_dropped;  // lines of the log that did not fit
  ServerSnapshot server;      // without a server: nothing but zeros
};

// [any] One line. So many clients that it would not fit into a line of the wire are left out, the newest first, and
// "Truncated" says so; "clients_total" has the sums of all.
[[nodiscard]] std::string to_json(const StatusReport& report);

}  // namespace nfbus::host
