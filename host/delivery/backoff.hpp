// Exponential backoff with full jitter.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace nfbus::host {

inline constexpr std::chrono::milliseconds kBackoffBase{100};
inline constexpr std::chrono::milliseconds kBackoffCap{30'000};

// How long to wait before attempt number `attempt` (1 is the first retry): between 0 and base * 2^(attempt-1), capped.
template <typename Random>
std::chrono::milliseconds backoff_delay(std::uint32_t attempt, Random& random) {
  const auto doublings = std::min<std::uint32_t>(attempt - 1, 16);
  const auto ceiling = std::min(kBackoffCap, kBackoffBase * (1 << doublings));
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, ceiling.count())(random));
}

}  // namespace nfbus::host
