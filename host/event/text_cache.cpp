#include "event/text_cache.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace nfbus::host {

namespace {
constexpr std::size_t kMaxChunkBytes = 64UL * 1024;
}

// Workers of several sinks ask for the same text at about the same time, each on its thread. None may wait for another,
// so there is no lock: a text is written first and published by one store of its address (release), and whoever finds
// the address (acquire) finds the text behind it whole.
std::string_view TextCache::find(std::uint32_t form, std::size_t index) const noexcept {
  const Slots* slots = slots_[form % kMaxForms].load(std::memory_order_acquire);
  if (slots == nullptr) return {};
  const Text* text = slots->texts[index].load(std::memory_order_acquire);
  return text == nullptr ? std::string_view() : text->view();
}

std::string_view TextCache::insert(std::uint32_t form, std::size_t index, std::size_t event_count,
                                   std::string_view text) {
  // The slots of a form are made with its first text, since most batches are rendered in one form or none. Two threads
  // may make them at once: the exchange lets one win, and gives the other the winner's.
  auto& place = slots_[form % kMaxForms];
  Slots* slots = place.load(std::memory_order_acquire);
  if (slots == nullptr) {
    auto fresh = std::make_unique<Slots>(event_count);
    if (place.compare_exchange_strong(slots, fresh.get(), std::memory_order_acq_rel)) {
      slots = fresh.release();
      size_bytes_.fetch_add(event_count * sizeof(void*), std::memory_order_relaxed);
    }
  }
  // Size and characters lie in one piece, so that a slot is one pointer, and one exchange publishes both.
  auto* made = new (allocate(sizeof(Text) + text.size(), event_count - index)) Text{text.size()};
  std::memcpy(made + 1, text.data(), text.size());
  const Text* expected = nullptr;
  if (slots->texts[index].compare_exchange_strong(expected, made, std::memory_order_acq_rel)) return made->view();
  return expected->view();  // the slower of two renderings stays in its chunk, unused
}

char* TextCache::allocate(std::size_t size, std::size_t texts_to_come) {
  // Room is taken by adding to `used`, whoever comes: an addition cannot fail, where a comparison would be tried again.
  // It may add beyond the end; then the chunk is full for all, and what is left of it stays unused.
  const std::size_t need = (size + alignof(Text) - 1) & ~(alignof(Text) - 1);
  Chunk* head = chunks_.load(std::memory_order_acquire);
  for (;;) {
    if (head != nullptr) {
      const std::size_t at = head->used.fetch_add(need, std::memory_order_relaxed);
      if (at + need <= head->size) return head->bytes() + at;
    }
    // A batch of one event must not hold a whole chunk.
    const std::size_t bytes = std::max(need, std::min(kMaxChunkBytes, need * texts_to_come));
    auto* fresh = new (::operator new(sizeof(Chunk) + bytes)) Chunk{.older = head, .size = bytes, .used = need};
    if (chunks_.compare_exchange_strong(head, fresh, std::memory_order_acq_rel)) {
      size_bytes_.fetch_add(bytes, std::memory_order_relaxed);
      return fresh->bytes();
    }
    ::operator delete(fresh);  // another thread brought a chunk first: `head` is that one now
  }
}

void TextCache::clear() noexcept {
  for (auto& place : slots_) delete place.exchange(nullptr, std::memory_order_acq_rel);
  Chunk* chunk = chunks_.exchange(nullptr, std::memory_order_acq_rel);
  while (chunk != nullptr) {
    Chunk* older = chunk->older;
    ::operator delete(chunk);
    chunk = older;
  }
  size_bytes_.store(0, std::memory_order_relaxed);
}

}  // namespace nfbus::host
