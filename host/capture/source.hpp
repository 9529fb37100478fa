// Brings events: from the kernel's NFLOG groups, or a pcap file. Several may run at once, each on its own thread.
#pragma once

#include "capture/filters.hpp"
#include "capture/settings.hpp"
#include "event/batch.hpp"
#include "event/topic.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Hands on a batch: frozen, never empty.
using Publish = std::function<void(const BatchRef& batch)>;

// Holds what every source works with. All of it outlives the source.
struct SourceContext {
  TopicTable& topics;
  SlabPool& slabs;
  BatchPool& batches;
  Publish publish;                     // never waits
  Publish publish_when_room;           // waits until each subscriber has room: for sources that are lossless()
  std::function<bool()> is_full = {};  // whether some subscriber has no room at all
};

// Size of the slabs in SourceContext.slabs: room for a full datagram of small packets and their events, or several of
// large ones. Not more, since slabs that are in use at one time should fit a core's cache together.
inline constexpr std::size_t kSlabBytes = 1U << 19U;

// A [[capture]] with the filters that were made for it.
struct CaptureSpec {
  CaptureConfig config;
  std::unique_ptr<CaptureFilters> filters;  // null: none
};

// Counts what became of a group's packets. Each number is exact and has one reason:
//   seen by the kernel's logger = received + lost;  received = published + not_forwarded + filtered.
struct CaptureSnapshot {
  std::uint16_t group;
  Action action;
  std::uint64_t received;
  std::uint64_t lost;  // gaps in the kernel's sequence numbers
  std::uint64_t published;
  std::uint64_t not_forwarded;  // prefix not in `prefixes`
  std::uint64_t filtered;       // dropped by capture filters
  std::uint64_t decode_errors;  // published all the same, with DecodeError
  std::uint64_t enobufs;        // times its buffer for us ran over: gaps, and what it reports besides
  // Not packets, and no sum: datagrams that the kernel dropped and that no packet may have told of yet, at most; what
  // was in them is not in `lost` before the next packet.
  std::uint32_t unseen_drops;
};

enum class SourceState : std::uint8_t {
  running = 1,
  ended,  // by itself, or after a stop
  failed,
};
[[nodiscard]] std::string_view to_string(SourceState state) noexcept;

// Counts what became of all that a source handed over, packets and messages:
//   received = published + filtered + malformed + refused, and what is in its hands at the moment.
struct SourceSnapshot {
  std::string name;
  SourceState state = SourceState::running;
  std::uint64_t received = 0;
  std::uint64_t published = 0;
  std::uint64_t filtered = 0;   // not forwarded, or dropped by capture filters
  std::uint64_t malformed = 0;  // no record or message at all
  std::uint64_t refused = 0;    // under a topic of the host's own
};

// [any] The account of a source that has nothing but these groups.
[[nodiscard]] SourceSnapshot sum_of(std::string_view name, const std::vector<CaptureSnapshot>& groups);

// Thread safety: run() on one thread of its own; all else from any thread.
class Source {
 public:
  virtual ~Source() = default;
  // Tells it from others in the status and the log: "nflog", "replay". Constant.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  // Waits for room in the queues instead of having them drop. It ends by itself, and what it had is to be delivered
  // then, however long that takes. Constant.
  [[nodiscard]] virtual bool lossless() const noexcept = 0;
  // Its failure ends the host; else the others go on without it. Constant.
  [[nodiscard]] virtual bool essential() const noexcept { return true; }
  // The sinks behind it may be replaced while it runs, which what waits for room would be lost by. Constant.
  [[nodiscard]] virtual bool reloadable() const noexcept = 0;

  // Reads until stop(), or to the end of what there is; then drains what still waits for it, for a bounded time. An
  // error is final: what was read before it is published.
  virtual Result<void> run() = 0;
  virtual void stop() noexcept = 0;
  // While run() runs, of a source of groups that is reloadable(): from one batch to the next these take the place of
  // what the groups have, which finish then. Returns what is not at work any more, for the caller to destroy; nothing:
  // a filter has not come back in time, and it will be so later.
  [[nodiscard]] virtual std::optional<FiltersOfGroups> replace_filters(FiltersOfGroups next) { return next; }
  // Of all that it has handed over; the state is for whoever runs it to tell.
  [[nodiscard]] virtual SourceSnapshot counters() const = 0;
  // A row for each group that it captures.
  [[nodiscard]] virtual std::vector<CaptureSnapshot> snapshots() const = 0;
};

}  // namespace nfbus::host
