// Declares what capture asks of the filters that run once, before the bus.
#pragma once

#include "event/batch.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nfbus::host {

// The filters of one [[capture]], on the capture thread.
class CaptureFilters {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~CaptureFilters() = default;
  // Drops and annotates events of a batch that is not frozen yet; returns how many it dropped. Annotations are made in
  // `writer`'s slab. Never throws.
  virtual std::size_t apply(Batch& batch, SlabWriter& writer) noexcept = 0;
  // When tick() has something to do, also when nothing arrives; Clock::time_point::max(): never, and that stays so.
  [[nodiscard]] virtual Clock::time_point next_tick() const noexcept = 0;
  virtual void tick(Clock::time_point now) noexcept = 0;
  // No event will come any more.
  virtual void finish() noexcept = 0;
};

// Those of several groups, by number. Null: none.
using FiltersOfGroups = std::vector<std::pair<std::uint16_t, std::unique_ptr<CaptureFilters>>>;

}  // namespace nfbus::host
