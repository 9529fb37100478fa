// From a packet's prefix to its topic without lock or hash table: one comparison for a run of packets of one rule.
#pragma once

#include "event/topic.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nfbus::host {

// In front of a TopicTable, which outlives it. Thread safety: none.
class TopicCache {
 public:
  explicit TopicCache(TopicTable& topics) noexcept : topics_(topics) {}

  const Topic& find(std::string_view prefix) {
    if (last_ != nullptr && last_->prefix == prefix) return *last_;
    const Topic*& slot = slots_[slot_of(prefix)];
    if (slot == nullptr || slot->prefix != prefix) slot = &topics_.intern(prefix);
    last_ = slot;
    return *last_;
  }

 private:
  static constexpr std::size_t kSlots = 256;

  // FNV-1a; prefixes are at most 127 bytes.
  static std::size_t slot_of(std::string_view prefix) noexcept {
    std::uint32_t hash = 2166136261U;
    for (const char c : prefix) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
    return (hash ^ hash >> 16U) % kSlots;
  }

  TopicTable& topics_;
  const Topic* last_ = nullptr;
  std::array<const Topic*, kSlots> slots_{};
};

}  // namespace nfbus::host
