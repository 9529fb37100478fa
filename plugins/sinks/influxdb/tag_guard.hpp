// Keeps a tag from having too many values: each value of a tag is an index entry that the server keeps in memory.
#pragma once

#include <nfbus/lru_map.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace influx {

// Knows values by 64 bits of a hash with a secret of its own. Thread safety: none. Allocates only for new values.
class TagGuard {
 public:
  // most: values that pass; 0: all.
  explicit TagGuard(std::size_t most) : most_(most) {}

  // Whether this value may be a tag's: it was before, or there is room for one more.
  [[nodiscard]] bool passes(std::string_view value) {
    if (most_ == 0 || value == last_) return true;
    const std::uint64_t hash = std::max<std::uint64_t>(hash_(value), 1);  // 0: an empty slot
    std::size_t at = slot(hash);
    if (slots_.empty() || slots_[at] != hash) {
      if (size_ == most_) return false;
      if (slots_.size() < 2 * (size_ + 1)) grow();
      at = slot(hash);
      slots_[at] = hash;
      ++size_;
    }
    last_.assign(value);
    return true;
  }

 private:
  static constexpr std::size_t kFirstSlots = 64;

  // Where the hash is, or would be put.
  [[nodiscard]] std::size_t slot(std::uint64_t hash) const noexcept {
    if (slots_.empty()) return 0;
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    std::vector<std::uint64_t> before(std::max(kFirstSlots, 2 * slots_.size()));
    before.swap(slots_);
    for (const std::uint64_t hash : before) {
      if (hash != 0) slots_[slot(hash)] = hash;
    }
  }

  const std::size_t most_;
  std::size_t size_ = 0;
  nfbus::detail::SeededHash hash_;
  std::vector<std::uint64_t> slots_;  // a power of two
  std::string last_;                  // most packets are like the one before
};

}  // namespace influx
