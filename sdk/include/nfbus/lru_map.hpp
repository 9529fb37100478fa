// A map of bounded size, for what a plugin remembers of packets: it forgets the least recently used entry first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus {

namespace detail {

// A hash with a secret of its own, so that whoever chooses the keys (addresses, ports) cannot make them collide.
class SeededHash {
 public:
  SeededHash() {
    std::random_device random;
    for (std::uint64_t& secret : secrets_) secret = (std::uint64_t{random()} << 32U | random()) | 1U;
  }

  [[nodiscard]] std::uint64_t operator()(std::string_view bytes) const noexcept {
    std::uint64_t hash = secrets_[0] ^ bytes.size();
    while (bytes.size() > sizeof hash) {
      hash = fold(hash ^ word(bytes, sizeof hash), secrets_[1]);
      bytes.remove_prefix(sizeof hash);
    }
    return fold(hash ^ word(bytes, bytes.size()), secrets_[2]);
  }

 private:
  static std::uint64_t word(std::string_view bytes, std::size_t size) noexcept {
    std::uint64_t out = 0;
    if (size != 0) std::memcpy(&out, bytes.data(), size);
    return out;
  }
  // Both halves of the product, so that each bit of the input reaches each of the output.
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }

  std::array<std::uint64_t, 3> secrets_{};
};

inline std::string_view key_bytes(const std::string& key) noexcept { return key; }
template <std::size_t N>
std::string_view key_bytes(const std::array<std::uint8_t, N>& key) noexcept {
  return {reinterpret_cast<const char*>(key.data()), N};
}
inline void set_key(std::string& key, std::string_view bytes) { key.assign(bytes); }
template <std::size_t N>
void set_key(std::array<std::uint8_t, N>& key, std::string_view bytes) noexcept {
  bytes.copy(reinterpret_cast<char*>(key.data()), N);
}

}  // namespace detail

// Key: std::string, or std::array<std::uint8_t, N> where all keys have N bytes. Keys are looked up by their bytes.
// Memory grows with the entries; looking up and replacing allocate nothing but what Key and Value do. Pointers and
// references to values are valid until the next insert(). Thread safety: none.
template <typename Key, typename Value>
class LruMap {
 public:
  // most: entries at most, 1 to 2^32 - 2.
  explicit LruMap(std::size_t most) : most_(most), buckets_(kFirstBuckets, kNone) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool full() const noexcept { return size_ == most_; }

  // Null: there is none. Does not count as a use.
  [[nodiscard]] Value* find(std::string_view key) noexcept {
    const std::uint32_t at = index_of(key, hash_(key));
    return at == kNone ? nullptr : &entries_[at].value;
  }
  // As find(), and the entry becomes the newest.
  [[nodiscard]] Value* use(std::string_view key) noexcept {
    const std::uint32_t at = index_of(key, hash_(key));
    if (at == kNone) return nullptr;
    if (at != newest_) {
      unlink(at);
      link_newest(at);
    }
    return &entries_[at].value;
  }
  // Adds what is not there yet, as the newest; a full map forgets its oldest entry for it.
  Value& insert(std::string_view key, Value value) {
    if (full()) pop_oldest();
    if (size_ == buckets_.size()) grow();
    std::uint32_t at = free_;
    if (at == kNone) {
      at = static_cast<std::uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      free_ = entries_[at].next;
    }
    Entry& entry = entries_[at];
    detail::set_key(entry.key, key);
    entry.value = std::move(value);
    entry.hash = hash_(key);
    std::uint32_t& bucket = bucket_of(entry.hash);
    entry.next = std::exchange(bucket, at);
    link_newest(at);
    ++size_;
    return entry.value;
  }
  // Must not be called when the map is empty.
  [[nodiscard]] std::string_view oldest_key() const noexcept { return detail::key_bytes(entries_[oldest_].key); }
  [[nodiscard]] Value& oldest() noexcept { return entries_[oldest_].value; }
  void pop_oldest() noexcept {
    const std::uint32_t at = oldest_;
    Entry& entry = entries_[at];
    std::uint32_t* from = &bucket_of(entry.hash);
    while (*from != at) from = &entries_[*from].next;
    *from = entry.next;
    unlink(at);
    entry.next = std::exchange(free_, at);
    --size_;
  }
  // visit(key, value) from the newest entry on, until it returns false.
  template <typename Visit>
  void each_newest(Visit visit) {
    for (std::uint32_t at = newest_; at != kNone; at = entries_[at].older) {
      if (!visit(detail::key_bytes(entries_[at].key), entries_[at].value)) return;
    }
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kFirstBuckets = 64;  // a power of two, as ever after

  struct Entry {
    Key key{};
    Value value{};
    std::uint64_t hash = 0;
    std::uint32_t next = kNone;  // in its bucket, or among the free ones
    std::uint32_t newer = kNone;
    std::uint32_t older = kNone;
  };

  [[nodiscard]] std::uint32_t& bucket_of(std::uint64_t hash) noexcept { return buckets_[hash & (buckets_.size() - 1)]; }
  [[nodiscard]] std::uint32_t index_of(std::string_view key, std::uint64_t hash) noexcept {
    std::uint32_t at = bucket_of(hash);
    while (at != kNone && (entries_[at].hash != hash || detail::key_bytes(entries_[at].key) != key)) {
      at = entries_[at].next;
    }
    return at;
  }
  void unlink(std::uint32_t at) noexcept {
    const Entry& entry = entries_[at];
    (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
    (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
  }
  void link_newest(std::uint32_t at) noexcept {
    entries_[at].newer = kNone;
    entries_[at].older = newest_;
    (newest_ == kNone ? oldest_ : entries_[newest_].newer) = at;
    newest_ = at;
  }
  // Every entry is in use when this is called.
  void grow() {
    buckets_.assign(buckets_.size() * 2, kNone);
    for (std::uint32_t at = newest_; at != kNone; at = entries_[at].older) {
      entries_[at].next = std::exchange(bucket_of(entries_[at].hash), at);
    }
  }

  const detail::SeededHash hash_;
  const std::size_t most_;
  std::size_t size_ = 0;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> buckets_;
  std::uint32_t newest_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t free_ = kNone;
};

}  // namespace nfbus
