#include "event/slab.hpp"

#include <algorithm>

namespace nfbus::host {

Slab::Slab(SlabPool* pool, std::size_t size_bytes)
    : pool_(pool), size_bytes_(size_bytes), memory_(new std::uint8_t[size_bytes]) {}

void SlabRef::reset() noexcept {
  Slab* slab = std::exchange(slab_, nullptr);
  if (slab == nullptr || slab->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (slab->pool_ != nullptr) {
    slab->pool_->give_back(slab);
  } else {
    delete slab;
  }
}

bool SlabRef::sole() const noexcept { return slab_->references_.load(std::memory_order_acquire) == 1; }

SlabRef make_slab(std::size_t size_bytes) { return SlabRef(new Slab(nullptr, size_bytes)); }

SlabPool::SlabPool(std::size_t slab_bytes, std::size_t keep_free) : slab_bytes_(slab_bytes), keep_free_(keep_free) {
  free_.reserve(keep_free);
}

SlabRef SlabPool::take() {
  {
    const MutexLock lock(mutex_);
    if (!free_.empty()) {
      Slab* slab = free_.back().release();
      free_.pop_back();
      return SlabRef(slab);
    }
  }
  return SlabRef(new Slab(this, slab_bytes_));
}

void SlabPool::give_back(Slab* slab) noexcept {
  std::unique_ptr<Slab> owned(slab);
  const MutexLock lock(mutex_);
  if (free_.size() < keep_free_) free_.push_back(std::move(owned));
}

const SlabRef& SlabWriter::reserve(std::size_t room_bytes) {
  if (slab_ && slab_->size_bytes() - used_ >= room_bytes) return slab_;
  used_ = 0;
  // What everybody is through with is still in the cache.
  if (!slab_ || !slab_.sole()) slab_ = pool_.take();
  return slab_;
}

std::span<std::uint8_t> SlabWriter::room() noexcept {
  return slab_ ? slab_->memory().subspan(used_) : std::span<std::uint8_t>();
}

void SlabWriter::commit(std::size_t used_bytes) noexcept {
  used_ = std::min(slab_->size_bytes(), used_ + ((used_bytes + kAlign - 1) & ~(kAlign - 1)));
}

}  // namespace nfbus::host
