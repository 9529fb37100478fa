// The filters of one [[capture]]: run once, on the capture thread, before the batch is frozen.
#pragma once

#include "capture/filters.hpp"
#include "delivery/filter_chain.hpp"

#include <vector>

namespace nfbus::host {

class CaptureFilterChain : public CaptureFilters {
 public:
  explicit CaptureFilterChain(FilterChain chain) : chain_(std::move(chain)) {}
  std::size_t apply(Batch& batch, SlabWriter& writer) noexcept override;
  [[nodiscard]] const FilterChain& chain() const noexcept { return chain_; }

 private:
  FilterChain chain_;
  std::vector<const nfbus_event*> items_;  // scratch
  std::vector<std::uint8_t> verdicts_;     // scratch
};

}  // namespace nfbus::host
