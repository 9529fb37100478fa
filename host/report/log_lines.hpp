// The counters for the log: a line for each source, group, filter and sink, of words that are "name=value".
#pragma once

#include "bus/server/server.hpp"
#include "capture/source.hpp"
#include "delivery/filter_stage.hpp"
#include "delivery/sink_worker.hpp"

#include <string>
#include <string_view>

namespace nfbus::host {

// [any]
[[nodiscard]] std::string log_line(const SourceSnapshot& source);
[[nodiscard]] std::string log_line(const CaptureSnapshot& capture);
// Of the bus socket.
[[nodiscard]] std::string bus_log_line(const ServerSnapshot& server);
// of: the groups, the sink or the bus that the filter belongs to.
[[nodiscard]] std::string log_line(const FilterSnapshot& filter, std::string_view of);
// Without its filters, which have lines of their own.
[[nodiscard]] std::string log_line(const SinkSnapshot& sink);

}  // namespace nfbus::host
