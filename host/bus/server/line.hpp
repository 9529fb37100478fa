// A line on its way to clients: made once, shared by the queues of all who get it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace nfbus::host {

class LineStore;

// Bytes that one line costs besides its own: its header, the allocator's, and a place in a queue's block.
inline constexpr std::size_t kLineOverheadBytes = 64;

// Shared ownership of a line, newline included. Thread safety: none, and none is needed: lines are the server
// thread's.
class LineRef {
 public:
  LineRef() noexcept = default;
  LineRef(const LineRef& other) noexcept : line_(other.line_) { retain(); }
  LineRef(LineRef&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
  LineRef& operator=(LineRef other) noexcept {
    std::swap(line_, other.line_);
    return *this;
  }
  ~LineRef() { reset(); }

  void reset() noexcept;
  explicit operator bool() const noexcept { return line_ != nullptr; }
  [[nodiscard]] std::string_view view() const noexcept { return {text(), line_->size}; }
  [[nodiscard]] std::size_t size() const noexcept { return line_->size; }
  // Returns what it costs in memory.
  [[nodiscard]] std::size_t charged_bytes() const noexcept { return line_->size + kLineOverheadBytes; }

 private:
  friend class LineStore;
  struct Line {
    LineStore* store;
    std::uint32_t references;
    std::uint32_t size;
  };
  explicit LineRef(Line* line) noexcept : line_(line) { retain(); }
  void retain() const noexcept {
    if (line_ != nullptr) ++line_->references;
  }
  [[nodiscard]] char* text() const noexcept { return reinterpret_cast<char*>(line_ + 1); }

  Line* line_ = nullptr;
};

// Makes lines and knows what all that live cost. Outlives its lines. Thread safety: none.
class LineStore {
 public:
  LineStore() = default;
  LineStore(const LineStore&) = delete;
  LineStore& operator=(const LineStore&) = delete;

  // A line of `size_bytes`, to be filled through `out` before it is shared.
  [[nodiscard]] LineRef make(std::size_t size_bytes, char*& out);
  // A line of `text` and a newline.
  [[nodiscard]] LineRef make(std::string_view text);

  // Of all lines that live, their text and kLineOverheadBytes each, and of what queues hold them in.
  [[nodiscard]] std::size_t live_bytes() const noexcept { return live_bytes_; }
  // Blocks of a queue came or went.
  void charge(std::size_t bytes) noexcept { live_bytes_ += bytes; }
  void discharge(std::size_t bytes) noexcept { live_bytes_ -= bytes; }

 private:
  friend class LineRef;
  std::size_t live_bytes_ = 0;
};

}  // namespace nfbus::host
