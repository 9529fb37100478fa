// The filters of one sink or one capture, in order.
#pragma once

#include "bus/bus.hpp"
#include "plugins/instance.hpp"
#include "support/repeat_guard.hpp"

#include <nfbus/abi.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// What one filter instance has to tell of itself.
struct FilterSnapshot {
  std::string name;
  std::string plugin;
  std::uint64_t failures;                                  // calls that failed; events of apply() were kept
  std::uint64_t heard;                                     // messages that it was given
  std::uint64_t unheard;                                   // messages that waited too long: the oldest were dropped
  std::vector<std::pair<std::string, std::uint64_t>> own;  // counters that the plugin registered
};

// Thread safety: owned by the thread that calls apply(), tick() and finish(), which is [worker] to the filters;
// subscriptions() and snapshots() from any.
class FilterChain {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kNever = Clock::time_point::max();

  // Adds a field to an event; returns the event to go on with (the same one, or what stands for it).
  using Annotate =
      std::function<const nfbus_event*(const nfbus_event& event, std::string_view name, std::string_view value)>;

  explicit FilterChain(std::vector<std::unique_ptr<FilterInstance>> filters);

  [[nodiscard]] bool empty() const noexcept { return filters_.empty(); }
  // Where the messages that filters listen to wait for them, bounded: whoever owns the chain puts these on the bus
  // while it runs.
  [[nodiscard]] const std::vector<std::shared_ptr<Subscription>>& subscriptions() const noexcept {
    return subscriptions_;
  }

  // Removes from `items` (all of one kind) what a filter drops; each filter sees only what those before it kept, with
  // their fields, after the messages that waited for it; one that does not take this kind of event is passed by. A
  // filter that fails keeps everything; that is logged and counted. Returns how many were dropped.
  std::size_t apply(std::vector<const nfbus_event*>& items, const Annotate& annotate);
  // Whether a filter wants ticks. Any thread.
  [[nodiscard]] bool ticks() const noexcept { return ticks_; }
  // When tick() has something to do; kNever: no filter wants ticks.
  [[nodiscard]] Clock::time_point next_tick() const noexcept { return next_tick_; }
  // Ticks the filters that are due, each after its messages. Failures are logged and counted.
  void tick(Clock::time_point now);
  // The last tick of all filters that want ticks: no event will come any more.
  void finish();
  [[nodiscard]] std::vector<FilterSnapshot> snapshots() const;

 private:
  struct Stage {
    std::unique_ptr<FilterInstance> filter;
    std::shared_ptr<Subscription> messages = nullptr;  // null: it listens to none
    Clock::time_point last_tick = Clock::now();
    RepeatGuard complaints = RepeatGuard();
    std::unique_ptr<std::atomic<std::uint64_t>> failures = std::make_unique<std::atomic<std::uint64_t>>(0);
  };
  static void hear(Stage& stage);
  static void tick(Stage& stage);
  static void note_failure(Stage& stage, const Error& error, std::string_view consequence);
  [[nodiscard]] static Clock::time_point due(const Stage& stage) noexcept;
  void schedule() noexcept;

  std::vector<Stage> filters_;
  std::vector<std::shared_ptr<Subscription>> subscriptions_;  // constant after construction
  bool ticks_;                                                // constant after construction
  Clock::time_point next_tick_ = kNever;
  std::vector<std::uint8_t> verdicts_;  // scratch
};

}  // namespace nfbus::host
