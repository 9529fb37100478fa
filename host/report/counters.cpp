#include "report/counters.hpp"

#include <array>
#include <chrono>

namespace nfbus::host {

namespace {

constexpr CounterType kTotal = CounterType::total;
constexpr CounterType kLevel = CounterType::level;

CounterValue count(std::uint64_t n) { return n; }
CounterValue seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

constexpr auto kSourceCounters = std::to_array<CounterOf<SourceSnapshot>>({
    {"received", Unit::events, kTotal, "Packets and messages that the source handed over.",
     [](const auto& s) { return count(s.received); }},
    {"published", Unit::events, kTotal, "Of them, published on the bus.",
     [](const auto& s) { return count(s.published); }},
    {"filtered", Unit::events, kTotal, "Of them, not forwarded or dropped by filters.",
     [](const auto& s) { return count(s.filtered); }},
    {"malformed", Unit::events, kTotal, "Of them, no packet record or message at all.",
     [](const auto& s) { return count(s.malformed); }},
    {"refused", Unit::events, kTotal, "Of them, refused: a topic of the host's own.",
     [](const auto& s) { return count(s.refused); }},
});

constexpr auto kCaptureCounters = std::to_array<CounterOf<CaptureSnapshot>>({
    {"received", Unit::packets, kTotal, "Packets that the kernel's group handed over.",
     [](const auto& c) { return count(c.received); }},
    {"lost", Unit::packets, kTotal, "Packets that the kernel logged and could not hand over.",
     [](const auto& c) { return count(c.lost); }},
    {"published", Unit::packets, kTotal, "Packets published on the bus.",
     [](const auto& c) { return count(c.published); }},
    {"not_forwarded", Unit::packets, kTotal, "Packets whose prefix is not among the group's prefixes.",
     [](const auto& c) { return count(c.not_forwarded); }},
    {"filtered", Unit::packets, kTotal, "Packets that the group's filters dropped.",
     [](const auto& c) { return count(c.filtered); }},
    {"decode_errors", Unit::packets, kTotal, "Packets published with a DecodeError.",
     [](const auto& c) { return count(c.decode_errors); }},
    {"enobufs", Unit::overruns, kTotal, "Times that the group's receive buffer ran over.",
     [](const auto& c) { return count(c.enobufs); }},
    {"unseen_drops", Unit::datagrams, kLevel,
     "Datagrams dropped by the kernel that no later packet may have told of yet, at most.",
     [](const auto& c) { return count(c.unseen_drops); }},
});

constexpr auto kFilterCounters = std::to_array<CounterOf<FilterSnapshot>>({
    {"failures", Unit::calls, kTotal, "Calls of the filter that failed; their events were kept.",
     [](const auto& f) { return count(f.failures); }},
    {"heard", Unit::messages, kTotal, "Messages of the bus that the filter was given.",
     [](const auto& f) { return count(f.heard); }},
    {"unheard", Unit::messages, kTotal, "Messages of the bus that waited for the filter too long.",
     [](const auto& f) { return count(f.unheard); }},
});

// Those of a disk queue are zero where there is none.
constexpr auto kSinkCounters = std::to_array<CounterOf<SinkSnapshot>>({
    {"published", Unit::events, kTotal, "Events published to the sink.",
     [](const auto& s) { return count(s.events.published); }},
    {"delivered", Unit::events, kTotal, "Events that the sink accepted.",
     [](const auto& s) { return count(s.events.delivered); }},
    {"filtered", Unit::events, kTotal, "Events that the sink's filters dropped.",
     [](const auto& s) { return count(s.events.filtered); }},
    {"overflowed", Unit::events, kTotal, "Events dropped since the sink's queue was full.",
     [](const auto& s) { return count(s.events.overflowed); }},
    {"rejected", Unit::events, kTotal, "Events that the sink refused for good.",
     [](const auto& s) { return count(s.events.rejected); }},
    {"corrupted", Unit::events, kTotal, "Spilled events that could not be read again.",
     [](const auto& s) { return count(s.events.corrupted); }, OnTerminal::when_not_zero},
    {"queued", Unit::events, kLevel, "Events that wait for the sink, in memory.",
     [](const auto& s) { return count(s.events.queued); }},
    {"spilled", Unit::events, kLevel, "Events that wait for the sink, on disk.",
     [](const auto& s) { return count(s.events.spilled); }},
    {"recovered", Unit::events, kTotal, "Events found in the sink's spill at the start.",
     [](const auto& s) { return count(s.events.recovered); }, OnTerminal::when_not_zero},
    {"retries", Unit::calls, kTotal, "Calls that the sink asked to repeat.",
     [](const auto& s) { return count(s.retries); }},
    {"dead_letters", Unit::events, kTotal, "Rejected events that were written to the sink's dead letters.",
     [](const auto& s) { return count(s.dead_letters); }, OnTerminal::when_not_zero},
    {"spilled", Unit::bytes, kLevel, "What the sink's spill takes on disk.",
     [](const auto& s) { return count(s.spill.size_bytes); }, OnTerminal::when_not_zero},
    {"spill_age", Unit::seconds, kLevel, "How long the oldest event on disk waits.",
     [](const auto& s) { return seconds(s.spill.oldest_age); }, OnTerminal::when_not_zero},
});

constexpr auto kBusCounters = std::to_array<CounterOf<ServerSnapshot>>({
    {"filtered", Unit::packets, kTotal, "Packets that clients wanted and the filters of the bus dropped.",
     [](const auto& s) { return count(s.totals.kept_back); }},
});

constexpr auto kClientCounters = std::to_array<ClientCounter>({
    {{"connected", Unit::connections, kLevel, "Clients of the bus socket.",
      [](const auto& s) { return count(s.connected); }}},
    {{"connections", Unit::connections, kTotal, "Clients that ever connected.",
      [](const auto& s) { return count(s.connections); }}},
    {{"turned_away", Unit::connections, kTotal, "Connections for which there was no place.",
      [](const auto& s) { return count(s.turned_away); }}},
    {{"too_long", Unit::connections, kTotal, "Connections closed since a line was too long.",
      [](const auto& s) { return count(s.too_long); }}},
    {{"published", Unit::lines, kTotal, "Lines published to clients; a line counts for each of them.",
      [](const auto& s) { return count(s.totals.published); }},
     [](const auto& c) { return count(c.published); }},
    {{"delivered", Unit::lines, kTotal, "Lines that were sent to clients.",
      [](const auto& s) { return count(s.totals.delivered); }},
     [](const auto& c) { return count(c.delivered); }},
    {{"filtered", Unit::lines, kTotal, "Lines that a client's match did not want.",
      [](const auto& s) { return count(s.totals.filtered); }},
     [](const auto& c) { return count(c.filtered); }},
    {{"overflowed", Unit::lines, kTotal, "Lines dropped since a client did not keep up.",
      [](const auto& s) { return count(s.totals.overflowed); }},
     [](const auto& c) { return count(c.overflowed); }},
    {{"left", Unit::lines, kTotal, "Lines that waited for clients that went away.",
      [](const auto& s) { return count(s.totals.left); }}},
    {{"queued", Unit::lines, kLevel, "Lines that wait for clients.",
      [](const auto& s) { return count(s.totals.queued); }},
     [](const auto& c) { return count(c.queued); }},
    // The status has the sum as memory.clients_bytes.
    {{"queued", Unit::bytes, kLevel, "Memory of the lines that wait for clients.",
      [](const auto& s) { return count(s.waiting_bytes); }, OnTerminal::never},
     [](const auto& c) { return count(c.queued_bytes); },
     false},
    // The thread that does not answer is the one that sends the status.
    {{"old", Unit::yes_or_no, kLevel,
      "1 while the thread that serves clients does not answer: its last numbers are shown.",
      [](const auto& s) { return count(s.old ? 1 : 0); }},
     nullptr,
     false},
    {{"cpu", Unit::seconds, kTotal, "Time on the CPU of the thread that serves clients.",
      [](const auto& s) { return seconds(s.cpu); }}},
});

constexpr auto kSentCounters = std::to_array<CounterOf<ReceivedCounters>>({
    {"received", Unit::lines, kTotal, "Lines that clients sent.", [](const auto& r) { return count(r.received); }},
    {"relayed", Unit::lines, kTotal, "Of them, published on the bus.", [](const auto& r) { return count(r.relayed); }},
    {"subscribed", Unit::lines, kTotal, "Of them, subscriptions and their ends.",
     [](const auto& r) { return count(r.subscribed); }},
    {"invalid", Unit::lines, kTotal, "Of them, no JSON object with a topic.",
     [](const auto& r) { return count(r.invalid); }},
    {"not_text", Unit::lines, kTotal, "Of them, messages whose value is no string.",
     [](const auto& r) { return count(r.not_text); }},
    {"refused", Unit::lines, kTotal, "Of them, refused: a topic of the host's own, a wrong match.",
     [](const auto& r) { return count(r.refused); }},
});

}  // namespace

std::span<const CounterOf<SourceSnapshot>> source_counters() noexcept { return kSourceCounters; }
std::span<const CounterOf<CaptureSnapshot>> capture_counters() noexcept { return kCaptureCounters; }
std::span<const CounterOf<FilterSnapshot>> filter_counters() noexcept { return kFilterCounters; }
std::span<const CounterOf<SinkSnapshot>> sink_counters() noexcept { return kSinkCounters; }
std::span<const CounterOf<ServerSnapshot>> bus_counters() noexcept { return kBusCounters; }
std::span<const ClientCounter> client_counters() noexcept { return kClientCounters; }
std::span<const CounterOf<ReceivedCounters>> sent_counters() noexcept { return kSentCounters; }

}  // namespace nfbus::host
