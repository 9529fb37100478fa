// The bytes of one write: small ones copied one behind the other, large ones left where they are.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace pcapsink {

using Bytes = std::span<const std::uint8_t>;

// Thread safety: none. Allocates only while it grows to the size of the largest write so far.
class Gather {
 public:
  Gather() : copies_(std::make_unique<std::uint8_t[]>(kFirstCapacityBytes)), capacity_bytes_(kFirstCapacityBytes) {
    pieces_.reserve(2048);
  }

  void clear() noexcept {
    pieces_.clear();
    end_of_last_ = nullptr;
    used_bytes_ = 0;
    size_bytes_ = 0;
  }

  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }
  // Valid until the next call that is not const.
  [[nodiscard]] std::span<const iovec> pieces() const noexcept { return pieces_; }

  // Room for so many bytes at the end, which the caller fills at once. Valid until the next call.
  [[nodiscard]] std::uint8_t* room(std::size_t size_bytes) {
    if (size_bytes > capacity_bytes_ - used_bytes_) grow(size_bytes);
    std::uint8_t* const at = copies_.get() + used_bytes_;
    if (at == end_of_last_) {
      pieces_.back().iov_len += size_bytes;
    } else {
      begin_piece(at, size_bytes);
    }
    end_of_last_ = at + size_bytes;
    used_bytes_ += size_bytes;
    size_bytes_ += size_bytes;
    return at;
  }

  void copy(Bytes bytes) {
    if (!bytes.empty()) std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
  }

  // Whether add() copies so many bytes.
  [[nodiscard]] static constexpr bool is_copied(std::size_t size_bytes) noexcept {
    return size_bytes < kReferFromBytes;
  }
  // bytes must stay as they are until they are written.
  void add(Bytes bytes) {
    if (is_copied(bytes.size())) return copy(bytes);
    begin_piece(const_cast<std::uint8_t*>(bytes.data()), bytes.size());  // writev() does not write there
    end_of_last_ = nullptr;
    size_bytes_ += bytes.size();
  }

 private:
  // Below this a copy costs less than the kernel's walk over one more piece.
  static constexpr std::size_t kReferFromBytes = 512;
  static constexpr std::size_t kFirstCapacityBytes = 256UL << 10U;

  // Not inlined, nor is grow(): room() is called for each packet, they are not.
  [[gnu::noinline]] void begin_piece(std::uint8_t* at, std::size_t size_bytes) { pieces_.push_back({at, size_bytes}); }

  [[gnu::noinline]] void grow(std::size_t more_bytes) {
    std::size_t capacity_bytes = capacity_bytes_;
    while (capacity_bytes - used_bytes_ < more_bytes) capacity_bytes *= 2;
    auto larger = std::make_unique<std::uint8_t[]>(capacity_bytes);
    std::memcpy(larger.get(), copies_.get(), used_bytes_);
    const std::less<> before;
    for (iovec& piece : pieces_) {
      const auto* const base = static_cast<const std::uint8_t*>(piece.iov_base);
      if (before(base, copies_.get()) || !before(base, copies_.get() + capacity_bytes_)) continue;
      piece.iov_base = larger.get() + (base - copies_.get());
    }
    if (end_of_last_ != nullptr) end_of_last_ = larger.get() + used_bytes_;
    copies_ = std::move(larger);
    capacity_bytes_ = capacity_bytes;
  }

  std::unique_ptr<std::uint8_t[]> copies_;
  std::size_t capacity_bytes_;
  std::size_t used_bytes_ = 0;  // of copies_
  std::size_t size_bytes_ = 0;  // of all
  std::vector<iovec> pieces_;
  std::uint8_t* end_of_last_ = nullptr;  // of the last piece, if it is of copies_
};

}  // namespace pcapsink
