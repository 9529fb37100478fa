// One filter at work: its messages, its ticks, its failures.
#pragma once

#include "bus/bus.hpp"
#include "plugins/instance.hpp"

#include <nfbus/abi.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Tells of one filter instance.
struct FilterSnapshot {
  std::string name;
  std::string plugin;
  std::uint64_t failures;  // calls that failed; events of apply() were kept
  std::uint64_t heard;     // messages that it was given
  std::uint64_t unheard;   // messages that waited too long: the oldest were dropped
  OwnCounters own;
  std::optional<RunningCall> call;  // that it is in
};

// A filter with what waits for it. May stand in several chains that one thread runs. Failures of its calls are logged
// and counted here. Thread safety: owned by that thread, which is [worker] to the filter; finishes(), messages() and
// snapshot() from any.
class FilterStage {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kNever = Clock::time_point::max();

  explicit FilterStage(std::unique_ptr<FilterInstance> filter);

  [[nodiscard]] bool takes(std::uint8_t event_kind) const noexcept {
    return (filter_->event_kinds() & event_kind) != 0;
  }
  // [control] Before the first of the calls below; an error names the filter.
  Result<void> open();
  // [any] Whoever sleeps until next_tick() is woken by this when the filter asks for a tick; empty: nobody sleeps so.
  void set_waker(std::function<void()> waker);
  // Hands over the messages that wait, then the events, as FilterInstance::apply(). False: it failed, all are kept.
  bool apply(std::span<const nfbus_event*> items, std::span<std::uint8_t> verdicts, EditRoom& room);
  void reopen();
  // Already past: the filter has asked to be woken. kNever: it wants no ticks.
  [[nodiscard]] Clock::time_point next_tick() const noexcept;
  // After the messages that wait. Does nothing before next_tick().
  void tick(Clock::time_point now);
  // After the messages that wait; once, however often it is called.
  void finish();
  [[nodiscard]] bool finishes() const noexcept { return filter_->finishes(); }

  // Returns where messages wait for it, bounded: whoever runs it puts this on the bus. Null: it listens to none.
  [[nodiscard]] const std::shared_ptr<Subscription>& messages() const noexcept { return messages_; }
  [[nodiscard]] FilterSnapshot snapshot() const;

 private:
  void hear();
  void note(const Result<void>& outcome, std::string_view consequence);

  const std::unique_ptr<FilterInstance> filter_;
  std::shared_ptr<Subscription> messages_;  // constant after construction
  Clock::time_point last_tick_ = Clock::now();
  bool opened_ = false;
  bool finished_ = false;
  bool failing_ = false;            // its last call did
  std::atomic<bool> woken_{false};  // since its last tick
  std::atomic<std::uint64_t> failures_{0};
};

}  // namespace nfbus::host
