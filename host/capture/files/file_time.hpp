// Times of capture files as nanoseconds since 1970, whatever their unit: a time that no int64 can hold becomes the
// nearest that one can, so that its packet is not lost.
#pragma once

#include <cstdint>

namespace nfbus::host {

// draft-ietf-opsawg-pcapng, if_tsresol and if_tsoffset.
struct TimeUnit {
  // 10^-n seconds, or 2^-n where the highest bit is set and n is the rest.
  std::uint8_t resolution = 6;
  std::int64_t offset_seconds = 0;

  bool operator==(const TimeUnit&) const = default;
};

// Times before 1970 are 1970's begin: the formats, like NFULA_TIMESTAMP, have none before.
[[nodiscard]] std::int64_t file_time_ns(std::uint64_t ticks, TimeUnit unit) noexcept;

}  // namespace nfbus::host
