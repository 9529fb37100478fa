// Times as text, in the local time zone: what most packets share with the one before is kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace nfbus::host {

struct SplitTime {
  std::int64_t second;        // since 1970-01-01 UTC; the one before for times in 1969 and earlier
  std::uint32_t fraction_ns;  // 0 to 999999999
};
[[nodiscard]] constexpr SplitTime split_time(std::int64_t time_ns) noexcept {
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  const std::int64_t rest_ns = time_ns % kSecondNs;
  if (rest_ns >= 0) return {time_ns / kSecondNs, static_cast<std::uint32_t>(rest_ns)};
  return {time_ns / kSecondNs - 1, static_cast<std::uint32_t>(rest_ns + kSecondNs)};
}

struct SecondTexts {
  std::int64_t second = std::numeric_limits<std::int64_t>::min();
  std::array<char, 19> date_time{};  // 2026-11-23T12:04:53
  std::array<char, 5> zone{};        // +0200
  bool is_utc = true;                // the zone's offset is 0
  std::array<char, 10> epoch{};      // its first epoch_size characters: the second itself
  std::size_t epoch_size = 0;
};

// [any] Valid until this thread asks for another second.
[[nodiscard]] const SecondTexts& texts_of(std::int64_t second) noexcept;

inline constexpr std::size_t kMaxRfc3339 = 35;
// RFC 3339 with the fraction's trailing zeros left out, and Z where the offset is 0, as Go writes it. [any] Writes at
// most kMaxRfc3339 characters and returns their end; json::kSlack bytes behind it may be overwritten.
char* put_rfc3339(char* out, std::int64_t time_ns) noexcept;

}  // namespace nfbus::host
