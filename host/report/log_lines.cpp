#include "report/log_lines.hpp"

#include "report/counters.hpp"

#include <fmt/format.h>

#include <span>
#include <variant>

namespace nfbus::host {

namespace {

template <class Of>
void append_counters(std::string& line, std::span<const CounterOf<Of>> counters, const Of& of) {
  for (const auto& counter : counters) {
    std::visit([&](const auto number) { line += fmt::format(" {}={}", status_name(counter), number); },
               counter.value(of));
  }
}

void append_own(std::string& line, const OwnCounters& own) {
  for (const auto& [name, value] : own) line += fmt::format(" {}={}", name, value);
}

}  // namespace

std::string log_line(const SourceSnapshot& source) {
  std::string line = fmt::format("source name={} state={}", source.name, to_string(source.state));
  append_counters(line, source_counters(), source);
  return line;
}

std::string log_line(const CaptureSnapshot& capture) {
  std::string line = fmt::format("capture group={}", capture.group);
  append_counters(line, capture_counters(), capture);
  return line;
}

std::string bus_log_line(const ServerSnapshot& server) {
  std::string line = "bus";
  append_counters(line, bus_counters(), server);
  return line;
}

std::string log_line(const FilterSnapshot& filter, std::string_view of) {
  std::string line = fmt::format("filter name={} plugin={} of={}", filter.name, filter.plugin, of);
  append_counters(line, filter_counters(), filter);
  append_own(line, filter.own);
  return line;
}

std::string log_line(const SinkSnapshot& sink) {
  std::string line =
      fmt::format("sink name={} plugin={} state={}", sink.name, sink.plugin, to_string(sink.health.state));
  append_counters(line, sink_counters(), sink);
  append_own(line, sink.own);
  return line;
}

}  // namespace nfbus::host
