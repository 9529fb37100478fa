// The filters of one sink or one capture, in order.
#pragma once

#include "delivery/filter_stage.hpp"

#include <nfbus/abi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace nfbus::host {

// Thread safety: owned by the thread that calls apply(), tick() and finish(), which is [worker] to the filters;
// stages() and what is const of them from any.
class FilterChain {
 public:
  using Clock = FilterStage::Clock;
  static constexpr auto kNever = FilterStage::kNever;

  // Stages may stand in other chains, too, if the same thread runs them.
  explicit FilterChain(std::vector<std::shared_ptr<FilterStage>> stages) : stages_(std::move(stages)) {}

  [[nodiscard]] bool empty() const noexcept { return stages_.empty(); }
  [[nodiscard]] const std::vector<std::shared_ptr<FilterStage>>& stages() const noexcept { return stages_; }

  // Removes from `items` (all of one kind) what a filter drops, and puts what one changed, in `room`, in its place;
  // each filter sees only what those before it kept, as they changed it; one that does not take this kind of event is
  // passed by, one that fails keeps everything. Returns how many were dropped.
  std::size_t apply(std::vector<const nfbus_event*>& items, EditRoom& room);
  // [control] Before the first of the calls below; an error names the filter. One that stands in two chains is opened
  // by the first.
  Result<void> open();
  // [any] As FilterStage::set_waker(), of all of them.
  void set_waker(const std::function<void()>& waker);
  // Files are opened anew (SIGHUP).
  void reopen();
  // When tick() has something to do; kNever: no filter wants ticks.
  [[nodiscard]] Clock::time_point next_tick() const noexcept;
  // Ticks the filters that are due.
  void tick(Clock::time_point now);
  // Once, when no event will come any more.
  void finish();
  // Returns whether finish() has something to do.
  [[nodiscard]] bool finishes() const noexcept;
  [[nodiscard]] std::vector<FilterSnapshot> snapshots() const;

 private:
  std::vector<std::shared_ptr<FilterStage>> stages_;  // constant after construction
  std::vector<std::uint8_t> verdicts_;                // scratch
};

}  // namespace nfbus::host
