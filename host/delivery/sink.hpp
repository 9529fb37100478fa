// Declares what a worker asks of a sink, whatever stands behind it: a plugin's instance, or one that a test or another
// process has.
#pragma once

#include "support/call_clock.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// Counters that a sink or filter registered, with their values.
using OwnCounters = std::vector<std::pair<std::string, std::uint64_t>>;

// Names what became of one event of a write().
enum class Outcome : std::uint8_t {
  unnamed = 1,  // the call's status says it
  delivered,
  again,     // comes again, in the order in which it came
  rejected,  // can never be delivered
};

// Until when a call may last. Thread safety: begin() from the thread that calls; the rest from any.
class WriteDeadline {
 public:
  using Clock = std::chrono::steady_clock;

  // A call begins, and may last until then.
  void begin(Clock::time_point until) noexcept { call_.store(ticks(until), std::memory_order_relaxed); }
  // Whatever call runs or comes: it may last until `end` at most. The last word counts.
  void end_by(Clock::time_point end) noexcept { end_.store(ticks(end), std::memory_order_relaxed); }

  // When whoever calls wants to have ended; max(): nobody has said so.
  [[nodiscard]] Clock::time_point end() const noexcept { return point(end_.load(std::memory_order_relaxed)); }
  // Zero when the time is over. It can shrink while the call runs, since a stop cuts it.
  [[nodiscard]] std::chrono::milliseconds left() const noexcept {
    const auto until = std::min(point(call_.load(std::memory_order_relaxed)), end());
    const auto now = Clock::now();
    return until <= now ? std::chrono::milliseconds(0) : std::chrono::ceil<std::chrono::milliseconds>(until - now);
  }

 private:
  static Clock::rep ticks(Clock::time_point point) noexcept { return point.time_since_epoch().count(); }
  static Clock::time_point point(Clock::rep ticks) noexcept { return Clock::time_point(Clock::duration(ticks)); }

  std::atomic<Clock::rep> call_{Clock::time_point::max().time_since_epoch().count()};
  std::atomic<Clock::rep> end_{Clock::time_point::max().time_since_epoch().count()};
};

// One write(). All that it refers to is the caller's, and lives until the call returns.
struct WriteCall {
  std::span<const nfbus_event* const> items;  // at least one, all of one kind
  std::uint64_t size_bytes;                   // of the items
  std::span<Outcome> outcomes;                // one an item, preset to unnamed
  // Told why an event was rejected, at most once an event; the outcome alone counts.
  const std::function<void(std::uint32_t index, std::string_view reason)>& reason;
  const WriteDeadline& deadline;
};

// The outcome of one write() for the events that it did not name.
struct WriteResult {
  enum class Status : std::uint8_t {
    ok = 1,  // they are delivered
    again,   // they come again, after a backoff
    failed,  // they come again; too many of these in a row, with no event settled, close the sink
    fatal,   // they are rejected, as those named again: the sink has to be closed
  };
  Status status;
  std::uint32_t retry_after_ms;  // a hint for what comes again; 0: none
  std::string error;             // what the sink said; empty with ok
};

// Calls never overlap, and come from one thread at a time: open() from [control], then all but the names and counters
// from [worker]. No call throws. An error of reopen(), flush() or tick() leaves the sink open.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;  // [control] close() must have been called if open() had succeeded

  [[nodiscard]] virtual const std::string& name() const noexcept = 0;       // [any] the instance's
  [[nodiscard]] virtual std::string_view plugin_name() const noexcept = 0;  // [any]
  [[nodiscard]] virtual OwnCounters counters() const = 0;                   // [any]
  // [any] The call that it is in; nothing between calls, and where nobody knows.
  [[nodiscard]] virtual std::optional<RunningCall> running_call() const { return std::nullopt; }
  // [any] Returns whether flush() does anything: then what it publishes is waited for at a stop.
  [[nodiscard]] virtual bool flushes() const noexcept = 0;

  // The shape that it asks for; fields that it left open are 0. Once; after a failure: destroy.
  virtual Result<nfbus_shape> open() = 0;
  virtual WriteResult write(const WriteCall& call) = 0;
  virtual Result<void> reopen() = 0;
  virtual Result<void> flush() = 0;
  virtual Result<void> tick() = 0;  // nothing happens to a sink that has none
  virtual void close() noexcept = 0;

  // [any] Sets what the sink calls, on any thread, to be ticked soon; empty: nothing any more. Waits while the one
  // before is called.
  virtual void set_waker(std::function<void()> waker) = 0;
};

}  // namespace nfbus::host
