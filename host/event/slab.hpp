// Slabs: large reused buffers that hold a batch's records, events and names, one behind the other.
#pragma once

#include "support/mutex.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace nfbus::host {

class SlabPool;

// Memory of a fixed size, shared by reference count. One SlabWriter writes, and only behind what batches already
// cover. Thread safety: SlabRef copies may live on any thread.
class Slab {
 public:
  // pool: where the slab returns to; null: it is freed with its last reference.
  Slab(SlabPool* pool, std::size_t size_bytes);
  [[nodiscard]] std::span<std::uint8_t> memory() noexcept { return {memory_.get(), size_bytes_}; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }

 private:
  friend class SlabRef;
  SlabPool* const pool_;
  const std::size_t size_bytes_;
  const std::unique_ptr<std::uint8_t[]> memory_;  // not cleared: pages are touched when first written
  std::atomic<std::uint32_t> references_{0};
};

class SlabRef {
 public:
  SlabRef() noexcept = default;
  explicit SlabRef(Slab* slab) noexcept : slab_(slab) { retain(); }
  SlabRef(const SlabRef& other) noexcept : slab_(other.slab_) { retain(); }
  SlabRef(SlabRef&& other) noexcept : slab_(std::exchange(other.slab_, nullptr)) {}
  SlabRef& operator=(SlabRef other) noexcept {
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~SlabRef() { reset(); }

  void reset() noexcept;
  [[nodiscard]] Slab* get() const noexcept { return slab_; }
  // Returns whether nobody else refers to the slab any more: then nobody can again, but through this one.
  [[nodiscard]] bool sole() const noexcept;
  Slab* operator->() const noexcept { return slab_; }
  explicit operator bool() const noexcept { return slab_ != nullptr; }

 private:
  void retain() const noexcept {
    if (slab_ != nullptr) slab_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  Slab* slab_ = nullptr;
};

// A slab of its own, outside any pool.
[[nodiscard]] SlabRef make_slab(std::size_t size_bytes);

// Hands out slabs of one size and keeps a few free ones. Outlives its slabs. Thread safety: any thread.
class SlabPool {
 public:
  SlabPool(std::size_t slab_bytes, std::size_t keep_free);
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;
  ~SlabPool() = default;

  [[nodiscard]] SlabRef take();
  [[nodiscard]] std::size_t slab_bytes() const noexcept { return slab_bytes_; }

 private:
  friend class SlabRef;
  void give_back(Slab* slab) noexcept;

  const std::size_t slab_bytes_;
  const std::size_t keep_free_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Slab>> free_ NFBUS_GUARDED_BY(mutex_);
};

// Fills slabs from front to back. Thread safety: none; one owner.
class SlabWriter {
 public:
  static constexpr std::size_t kAlign = 8;

  explicit SlabWriter(SlabPool& pool) : pool_(pool) {}

  // The slab being filled, with at least `room_bytes` left; a fresh one when the current has less. room_bytes must not
  // be more than the pool's slab size.
  const SlabRef& reserve(std::size_t room_bytes);
  [[nodiscard]] std::size_t slab_bytes() const noexcept { return pool_.slab_bytes(); }
  // Returns what is left of the current slab; written to freely until the next commit().
  [[nodiscard]] std::span<std::uint8_t> room() noexcept;
  // The first `used_bytes` of room() are taken for good.
  void commit(std::size_t used_bytes) noexcept;

 private:
  SlabPool& pool_;
  SlabRef slab_;
  std::size_t used_ = 0;
};

}  // namespace nfbus::host
