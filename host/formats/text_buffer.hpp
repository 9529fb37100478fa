// A growing char buffer for renderers: ask for room once, then write without checks.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace nfbus::host {

// Thread safety: none.
class TextBuffer {
 public:
  // At least `room_bytes` writable bytes behind what is there; commit() says how many were used. The pointer is valid
  // until the next room().
  [[nodiscard]] char* room(std::size_t room_bytes) {
    if (capacity_ - size_ < room_bytes) grow(room_bytes);
    return memory_.get() + size_;
  }
  void commit(const char* end) noexcept { size_ = static_cast<std::size_t>(end - memory_.get()); }

  void append(std::string_view text) {
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void truncate(std::size_t size_bytes) noexcept { size_ = size_bytes; }
  void clear() noexcept { size_ = 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view view() const noexcept { return {memory_.get(), size_}; }

 private:
  void grow(std::size_t room_bytes) {
    std::size_t wanted = capacity_ == 0 ? 4096 : capacity_ * 2;
    while (wanted - size_ < room_bytes) wanted *= 2;
    std::unique_ptr<char[]> bigger(new char[wanted]);
    if (size_ != 0) std::memcpy(bigger.get(), memory_.get(), size_);
    memory_ = std::move(bigger);
    capacity_ = wanted;
  }

  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace nfbus::host
