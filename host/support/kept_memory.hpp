// Memory for what lives until the next clear(), kept for what comes after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace nfbus::host {

// Thread safety: none.
class KeptMemory {
 public:
  static constexpr std::size_t kAlign = 8;

  // Chunks of chunk_bytes, a multiple of kAlign, are kept; what is larger has memory of its own.
  explicit KeptMemory(std::size_t chunk_bytes) noexcept : chunk_bytes_(chunk_bytes) {}

  // Not initialized; aligned to kAlign; stays where it is until clear(). Throws std::bad_alloc.
  [[nodiscard]] std::span<std::uint8_t> allocate(std::size_t size_bytes);
  // All memory that was handed out is used again.
  void clear() noexcept;

 private:
  using Chunk = std::unique_ptr<std::uint8_t[]>;

  const std::size_t chunk_bytes_;
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0;       // the one that is filled
  std::size_t used_bytes_ = 0;  // of it
  std::vector<Chunk> large_;    // larger than a chunk; freed by clear()
};

}  // namespace nfbus::host
