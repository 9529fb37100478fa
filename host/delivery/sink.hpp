// What a worker delivers to: one sink, wherever its code runs.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// What became of one event of a write().
enum class Outcome : std::uint8_t { unnamed = 1, delivered, again, rejected };

// When a write() should have returned: its own time, cut by the end of a stop that may come while it runs.
// Thread safety: set_call() by the worker, the rest from any thread.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  void set_call(Clock::time_point at) noexcept { call_.store(at, std::memory_order_relaxed); }
  void set_stop(Clock::time_point at) noexcept { stop_.store(at, std::memory_order_relaxed); }
  [[nodiscard]] Clock::time_point stop() const noexcept { return stop_.load(std::memory_order_relaxed); }
  // What is left of both; 0 when one has passed.
  [[nodiscard]] std::chrono::milliseconds left() const noexcept {
    const auto at = std::min(call_.load(std::memory_order_relaxed), stop());
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::duration_cast<std::chrono::milliseconds>(at - Clock::now()));
  }

 private:
  std::atomic<Clock::time_point> call_{Clock::time_point::max()};
  std::atomic<Clock::time_point> stop_{Clock::time_point::max()};
};

// One batch for a sink; valid during write().
struct WriteCall {
  std::span<const nfbus_event* const> items;  // at least one, all of one kind
  std::uint64_t size_bytes;                   // of their records or texts
  std::span<Outcome> outcomes;                // one an event, `unnamed` at first: the sink names some
  // Called for each event that the sink rejects, with why; at most once an event.
  const std::function<void(std::uint32_t index, std::string_view reason)>& rejected;
  const Deadline& deadline;
};

// What a sink says of a whole batch.
struct WriteResult {
  enum class Status : std::uint8_t {
    ok = 1,  // what is unnamed is delivered
    again,   // it comes again
    failed,  // it comes again, but ten of these in a row without progress close the sink
    fatal,   // the sink cannot go on: it is rejected, with all that waits
  };
  Status status;
  bool names_events;             // some outcome is not `unnamed`
  std::uint32_t retry_after_ms;  // where something comes again: a hint; 0: none
  std::string error;             // where the status is not ok: what the sink said
};

// Counters that a plugin registered, with their values.
using OwnCounters = std::vector<std::pair<std::string, std::uint64_t>>;

// A sink, created and not open. Calls never overlap, but for those marked [any]. None throws.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;  // [control]; close() must have been called if open() had succeeded

  [[nodiscard]] virtual const std::string& name() const noexcept = 0;       // [any]
  [[nodiscard]] virtual std::string_view plugin_name() const noexcept = 0;  // [any]

  // [control] The shape that the sink wants; fields that it leaves open are 0. Once; after a failure: destroy.
  virtual Result<nfbus_shape> open() = 0;
  virtual WriteResult write(const WriteCall& call) = 0;  // [worker], as all that follow
  virtual Result<void> reopen() = 0;
  virtual Result<void> flush() = 0;
  // Whether tick() does anything.
  [[nodiscard]] virtual bool ticks() const noexcept = 0;
  virtual Result<void> tick() = 0;
  virtual void close() noexcept = 0;

  // [any] What the sink calls, on any thread, to have tick() called soon; empty: nothing any more.
  virtual void set_waker(std::function<void()> waker) = 0;
  [[nodiscard]] virtual OwnCounters counters() const = 0;  // [any]
};

}  // namespace nfbus::host
