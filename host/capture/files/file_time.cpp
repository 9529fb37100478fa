#include "capture/files/file_time.hpp"

#include <algorithm>
#include <limits>

namespace nfbus::host {

namespace {

// 2^64 ticks of a second, in nanoseconds, take 94 bits.
__extension__ using Wide = __int128;

constexpr Wide kNsPerSecond = 1'000'000'000;
constexpr unsigned kNsDigits = 9;

Wide power_of_ten(unsigned exponent) noexcept {
  Wide power = 1;
  while (exponent-- != 0) power *= 10;
  return power;
}

Wide ticks_in_ns(std::uint64_t ticks, std::uint8_t resolution) noexcept {
  constexpr std::uint8_t kPowerOfTwo = 0x80;
  const unsigned exponent = resolution & 0x7fU;
  if ((resolution & kPowerOfTwo) != 0) return Wide{ticks} * kNsPerSecond >> exponent;
  if (exponent <= kNsDigits) return Wide{ticks} * power_of_ten(kNsDigits - exponent);
  constexpr unsigned kMostDigits = 20;  // of a uint64
  if (exponent - kNsDigits > kMostDigits) return 0;
  return Wide{ticks} / power_of_ten(exponent - kNsDigits);
}

}  // namespace

std::int64_t file_time_ns(std::uint64_t ticks, TimeUnit unit) noexcept {
  const Wide time_ns = ticks_in_ns(ticks, unit.resolution) + Wide{unit.offset_seconds} * kNsPerSecond;
  return static_cast<std::int64_t>(std::clamp<Wide>(time_ns, 0, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace nfbus::host
