// The counters for the log: a line for each source, group, filter and sink, of words that are "name=value".
#pragma once

#include "capture/source.hpp"
#include "delivery/filter_stage.hpp"
#include "delivery/sink_worker.hpp"

#include <string>
#include <string_view>

namespace nfbus::host {

// [any]
[[nodiscard]] std::string log_line(const SourceSnapshot& source);
[[nodiscard]] std::string log_line(const CaptureSnapshot& capture);
// of: the groups or the sink that the filter belongs to.
[[nodiscard]] std::string log_line(const FilterSnapshot& filter, std::string_view of);
// Without its filters, which have lines of their own.
[[nodiscard]] std::string log_line(const SinkSnapshot& sink);

}  // namespace nfbus::host
