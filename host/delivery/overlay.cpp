#include "delivery/overlay.hpp"

#include "event/batch.hpp"
#include "event/slab.hpp"

namespace nfbus::host {

namespace {
constexpr std::size_t kChunkBytes = 64UL * 1024;
}

Event& Overlay::writable(const nfbus_event& event) {
  const Event& given = host_event(event);
  // Events come from a frozen batch or from here, and those from here are ours to change.
  if (!is_in_batch(given)) return const_cast<Event&>(given);
  if (used_events_ == events_.size()) events_.push_back(std::make_unique<Event>());
  Event& stand_in = *events_[used_events_++];
  stand_in = given;
  return stand_in;
}

std::span<std::uint8_t> Overlay::allocate(std::size_t size_bytes) {
  const std::size_t aligned = (size_bytes + SlabWriter::kAlign - 1) & ~(SlabWriter::kAlign - 1);
  if (aligned > kChunkBytes) {
    large_.push_back(std::make_unique<std::uint8_t[]>(aligned));
    return {large_.back().get(), size_bytes};
  }
  if (chunks_.empty()) chunks_.push_back(std::make_unique<std::uint8_t[]>(kChunkBytes));
  if (kChunkBytes - used_bytes_ < aligned) {
    if (chunk_ + 1 == chunks_.size()) chunks_.push_back(std::make_unique<std::uint8_t[]>(kChunkBytes));
    ++chunk_;
    used_bytes_ = 0;
  }
  const std::span<std::uint8_t> room(chunks_[chunk_].get() + used_bytes_, size_bytes);
  used_bytes_ += aligned;
  return room;
}

void Overlay::clear() noexcept {
  used_events_ = 0;
  chunk_ = 0;
  used_bytes_ = 0;
  large_.clear();
}

}  // namespace nfbus::host
