// The filters of one sink or one capture, in order.
#pragma once

#include "delivery/filter_stage.hpp"

#include <nfbus/abi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// Thread safety: owned by the thread that calls apply(), tick() and finish(), which is [worker] to the filters;
// stages() and what is const of them from any.
class FilterChain {
 public:
  using Clock = FilterStage::Clock;
  static constexpr auto kNever = FilterStage::kNever;

  // Adds a field to an event; returns the event to go on with (the same one, or what stands for it).
  using Annotate =
      std::function<const nfbus_event*(const nfbus_event& event, std::string_view name, std::string_view value)>;

  // Stages may stand in other chains, too, if the same thread runs them.
  explicit FilterChain(std::vector<std::shared_ptr<FilterStage>> stages) : stages_(std::move(stages)) {}

  [[nodiscard]] bool empty() const noexcept { return stages_.empty(); }
  [[nodiscard]] const std::vector<std::shared_ptr<FilterStage>>& stages() const noexcept { return stages_; }

  // Removes from `items` (all of one kind) what a filter drops; each filter sees only what those before it kept, with
  // their fields; one that does not take this kind of event is passed by, one that fails keeps everything. Returns how
  // many were dropped.
  std::size_t apply(std::vector<const nfbus_event*>& items, const Annotate& annotate);
  // When tick() has something to do; kNever: no filter wants ticks.
  [[nodiscard]] Clock::time_point next_tick() const noexcept;
  // Ticks the filters that are due.
  void tick(Clock::time_point now);
  // Once, when no event will come any more.
  void finish();
  // Whether finish() has something to do.
  [[nodiscard]] bool finishes() const noexcept;
  [[nodiscard]] std::vector<FilterSnapshot> snapshots() const;

 private:
  std::vector<std::shared_ptr<FilterStage>> stages_;  // constant after construction
  std::vector<std::uint8_t> verdicts_;                // scratch
};

}  // namespace nfbus::host
