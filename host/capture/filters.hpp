// What capture asks of the filters that run once, before the bus.
#pragma once

#include "event/batch.hpp"

namespace nfbus::host {

// The filters of one [[capture]], on the capture thread.
class CaptureFilters {
 public:
  virtual ~CaptureFilters() = default;
  // Drops and annotates events of a batch that is not frozen yet; returns how many it dropped. Annotations are made in
  // `writer`'s slab. Never throws.
  virtual std::size_t apply(Batch& batch, SlabWriter& writer) noexcept = 0;
};

}  // namespace nfbus::host
