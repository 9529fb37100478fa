// The filters of one [[capture]]: run once, on the capture thread, before the batch is frozen.
#pragma once

#include "capture/filters.hpp"
#include "delivery/filter_chain.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

class CaptureFilterChain : public CaptureFilters {
 public:
  explicit CaptureFilterChain(FilterChain chain) : chain_(std::move(chain)) {}
  std::size_t apply(Batch& batch, SlabWriter& writer) noexcept override;
  [[nodiscard]] Clock::time_point next_tick() const noexcept override { return chain_.next_tick(); }
  void tick(Clock::time_point now) noexcept override { chain_.tick(now); }
  void finish() noexcept override { chain_.finish(); }
  // [control] As FilterChain::open().
  Result<void> open() { return chain_.open(); }
  [[nodiscard]] const FilterChain& chain() const noexcept { return chain_; }

 private:
  FilterChain chain_;
  std::vector<const nfbus_event*> items_;  // scratch
  std::vector<std::uint8_t> verdicts_;     // scratch
};

// A filter of captures, and the groups that share it.
struct CaptureFilterSnapshot {
  FilterSnapshot filter;
  std::vector<std::uint16_t> groups;

  [[nodiscard]] std::string of() const;  // "capture.1,capture.2"
};

// [any] Every filter once, in the order of the groups' chains.
[[nodiscard]] std::vector<CaptureFilterSnapshot> snapshots_of(
    const std::vector<std::pair<std::uint16_t, CaptureFilterChain*>>& chains_by_group);

}  // namespace nfbus::host
