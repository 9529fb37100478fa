// The text forms of a batch's events, rendered when first asked for and shared by all who ask again.
#pragma once

#include <nfbus/abi.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace nfbus::host {

// Hangs off a batch. Texts live until clear(). Whoever renders numbers the forms of text (formats/format_id.hpp), below
// kMaxForms. Thread safety: find() and insert() from any threads at once, without locks or waiting; clear() by the
// batch's pool alone.
class TextCache {
 public:
  static constexpr std::size_t kMaxForms = 8;

  TextCache() = default;
  TextCache(const TextCache&) = delete;
  TextCache& operator=(const TextCache&) = delete;
  ~TextCache() { clear(); }

  // The text of event `index` in `form`; data is null when it was not rendered yet.
  [[nodiscard]] std::string_view find(std::uint32_t form, std::size_t index) const noexcept;
  // Keeps a copy of `text` and returns it; when another thread was faster, returns that thread's.
  std::string_view insert(std::uint32_t form, std::size_t index, std::size_t event_count, std::string_view text);
  void clear() noexcept;
  // Bytes held.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Text {
    std::size_t size;
    [[nodiscard]] std::string_view view() const noexcept { return {reinterpret_cast<const char*>(this + 1), size}; }
  };
  struct Slots {
    explicit Slots(std::size_t count) : texts(std::make_unique<std::atomic<const Text*>[]>(count)) {}
    std::unique_ptr<std::atomic<const Text*>[]> texts;
  };
  struct Chunk {
    Chunk* older;
    std::size_t size;
    std::atomic<std::size_t> used;
    char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
  };

  char* allocate(std::size_t size, std::size_t texts_to_come);

  std::array<std::atomic<Slots*>, kMaxForms> slots_{};
  std::atomic<Chunk*> chunks_{nullptr};
  std::atomic<std::size_t> size_bytes_{0};
};

}  // namespace nfbus::host
