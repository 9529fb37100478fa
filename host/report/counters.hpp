// Every counter of a source, a group, a filter, a sink and the bus's clients, once. The status, its table on a
// terminal, the metrics and the log walk these tables in their order: a counter that is added to one shows in all of
// them.
#pragma once

#include "bus/server/server.hpp"
#include "capture/source.hpp"
#include "delivery/filter_stage.hpp"
#include "delivery/sink_worker.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace nfbus::host {

enum class Unit : std::uint8_t {
  packets = 1,
  datagrams,
  events,
  messages,
  lines,
  connections,
  calls,
  overruns,
  yes_or_no,  // 1 or 0
  bytes,      // names end in the unit,
  seconds,    // as here
};

enum class CounterType : std::uint8_t {
  total = 1,  // since the start; never falls
  level,      // as things stand
};

enum class OnTerminal : std::uint8_t {
  always = 1,
  when_not_zero,  // left out while it is zero in every row
  never,
};

using CounterValue = std::variant<std::uint64_t, double>;

// A counter of what an Of describes.
template <class Of>
struct CounterOf {
  std::string_view name;  // without its unit
  Unit unit;
  CounterType type;
  const char* help;  // a sentence
  CounterValue (*value)(const Of&);
  OnTerminal on_terminal = OnTerminal::always;
};

// A counter of the bus's clients: summed over all that ever were, and of each that is connected. The sums stand in the
// status and in the metrics, those of each in the status and on a terminal; the log has neither.
struct ClientCounter : CounterOf<ServerSnapshot> {
  CounterValue (*of_each)(const ClientSnapshot&) = nullptr;  // null: there is only the sum
  bool in_status_sums = true;
};

// [any] In the order in which they are shown.
[[nodiscard]] std::span<const CounterOf<SourceSnapshot>> source_counters() noexcept;
[[nodiscard]] std::span<const CounterOf<CaptureSnapshot>> capture_counters() noexcept;
[[nodiscard]] std::span<const CounterOf<FilterSnapshot>> filter_counters() noexcept;
[[nodiscard]] std::span<const CounterOf<SinkSnapshot>> sink_counters() noexcept;
// Of the bus socket as a whole: an object of its own, "bus".
[[nodiscard]] std::span<const CounterOf<ServerSnapshot>> bus_counters() noexcept;
[[nodiscard]] std::span<const ClientCounter> client_counters() noexcept;
// Of the lines that clients sent: an object of its own, "sent", beside the others.
[[nodiscard]] std::span<const CounterOf<ReceivedCounters>> sent_counters() noexcept;

// [any] Its name in the status, on a terminal and in the log.
template <class Of>
[[nodiscard]] std::string status_name(const CounterOf<Of>& counter) {
  std::string name(counter.name);
  if (counter.unit == Unit::bytes) name += "_bytes";
  if (counter.unit == Unit::seconds) name += "_s";
  return name;
}

// [any] Its name in the metrics, which begins with the prefix of its table.
template <class Of>
[[nodiscard]] std::string metric_name(std::string_view prefix, const CounterOf<Of>& counter) {
  std::string name(prefix);
  name += counter.name;
  if (counter.unit == Unit::bytes) name += "_bytes";
  if (counter.unit == Unit::seconds) name += "_seconds";
  if (counter.type == CounterType::total) name += "_total";
  return name;
}

}  // namespace nfbus::host
