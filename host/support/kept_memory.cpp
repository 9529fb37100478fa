#include "support/kept_memory.hpp"

namespace nfbus::host {

std::span<std::uint8_t> KeptMemory::allocate(std::size_t size_bytes) {
  const std::size_t aligned = (size_bytes + kAlign - 1) & ~(kAlign - 1);
  if (aligned > chunk_bytes_) {
    large_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(aligned));
    return {large_.back().get(), size_bytes};
  }
  // Each step leaves the object as it was when there is no memory for it.
  if (chunks_.empty()) chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(chunk_bytes_));
  if (chunk_bytes_ - used_bytes_ < aligned) {
    if (chunk_ + 1 == chunks_.size()) {
      chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(chunk_bytes_));
    }
    ++chunk_;
    used_bytes_ = 0;
  }
  const std::span<std::uint8_t> room(chunks_[chunk_].get() + used_bytes_, size_bytes);
  used_bytes_ += aligned;
  return room;
}

void KeptMemory::clear() noexcept {
  chunk_ = 0;
  used_bytes_ = 0;
  large_.clear();
}

}  // namespace nfbus::host
