// Token buckets, one a key, and what they did not let through.
#pragma once

#include <nfbus/lru_map.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ratelimit {

// Thread safety: none; owned by the filter's worker.
class Buckets {
 public:
  struct Limits {
    double rate_per_s;
    double burst;  // events that may come at once, at least 1
    std::size_t max_keys;
  };

  explicit Buckets(Limits limits) : limits_(limits), buckets_(limits.max_keys) {}

  // Whether an event of this key and time may pass; else it counts as dropped.
  bool admits(std::string_view key, std::int64_t time_ns) {
    Bucket* bucket = buckets_.use(key);
    if (bucket == nullptr) {
      if (buckets_.full()) forget_oldest();
      bucket = &buckets_.insert(key, {.nano_events = limits_.burst * kNano, .filled_ns = time_ns});
    }
    refill(*bucket, time_ns);
    bucket->round = round_;
    if (bucket->nano_events >= kNano) {
      bucket->nano_events -= kNano;
      return true;
    }
    ++bucket->dropped;
    if (dropped_++ == 0) first_ns_ = last_ns_ = time_ns;
    first_ns_ = std::min(first_ns_, time_ns);
    last_ns_ = std::max(last_ns_, time_ns);
    return false;
  }

  // Of this round: since the last begin_round().
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
  // Of keys that were forgotten since.
  [[nodiscard]] std::uint64_t dropped_of_forgotten() const noexcept { return dropped_of_forgotten_; }
  // The times of the first and the last event dropped; only when there is one.
  [[nodiscard]] std::int64_t first_ns() const noexcept { return first_ns_; }
  [[nodiscard]] std::int64_t last_ns() const noexcept { return last_ns_; }
  // visit(key, dropped) for each key of which something was dropped, but for those forgotten.
  template <typename Visit>
  void each_dropped(Visit visit) {
    buckets_.each_newest([&](std::string_view key, const Bucket& bucket) {
      if (bucket.round != round_) return false;  // nor has any older one been used in this round
      if (bucket.dropped != 0) visit(key, bucket.dropped);
      return true;
    });
  }
  void begin_round() {
    buckets_.each_newest([&](std::string_view /*key*/, Bucket& bucket) {
      if (bucket.round != round_) return false;
      bucket.dropped = 0;
      return true;
    });
    ++round_;
    dropped_ = dropped_of_forgotten_ = 0;
  }

  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }

 private:
  static constexpr double kNano = 1e9;

  struct Bucket {
    double nano_events = 0;  // so that whole rates and times add up without rounding
    std::int64_t filled_ns = 0;
    std::uint64_t dropped = 0;  // in this round
    std::uint64_t round = 0;    // of its last use
  };

  // Events of several groups may come a little out of order: time does not go back for that. A clock that was set back
  // further is followed, so that the bucket does not wait for the old time to come again.
  static constexpr std::int64_t kDisorderNs = 1'000'000'000;

  void refill(Bucket& bucket, std::int64_t time_ns) const noexcept {
    const std::int64_t elapsed_ns = time_ns - bucket.filled_ns;
    if (elapsed_ns < 0 && elapsed_ns >= -kDisorderNs) return;
    if (elapsed_ns > 0) {
      bucket.nano_events =
          std::min(limits_.burst * kNano, bucket.nano_events + static_cast<double>(elapsed_ns) * limits_.rate_per_s);
    }
    bucket.filled_ns = time_ns;
  }

  void forget_oldest() noexcept {
    dropped_of_forgotten_ += buckets_.oldest().dropped;
    ++forgotten_;
    buckets_.pop_oldest();
  }

  const Limits limits_;
  nfbus::LruMap<std::string, Bucket> buckets_;
  std::uint64_t round_ = 1;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_of_forgotten_ = 0;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace ratelimit
