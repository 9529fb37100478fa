#include "delivery/overlay.hpp"

#include "event/batch.hpp"
#include "event/slab.hpp"

namespace nfbus::host {

static_assert(KeptMemory::kAlign == SlabWriter::kAlign);

Event& Overlay::writable(const nfbus_event& event) {
  const Event& given = host_event(event);
  // Events come from a frozen batch or from here, and those from here are ours to change.
  if (!is_in_batch(given)) return const_cast<Event&>(given);
  if (used_events_ == events_.size()) events_.push_back(std::make_unique<Event>());
  Event& stand_in = *events_[used_events_++];
  stand_in = given;
  return stand_in;
}

void Overlay::clear() noexcept {
  used_events_ = 0;
  memory_.clear();
}

}  // namespace nfbus::host
