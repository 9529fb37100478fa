// Loss accounting: what the kernel's sequence numbers (NFULA_SEQ) tell.
#pragma once

#include <cstdint>

namespace nfbus::host {

// Follows one group's numbers, which start at 0 when the group is bound, rise by one with each packet logged, lost or
// not, and wrap at 2^32. Thread safety: none.
class SequenceTracker {
 public:
  // How many packets were lost just before this one: exact up to 2^31.
  std::uint32_t gap_before(std::uint32_t sequence) noexcept {
    const std::uint32_t gap = sequence - expected_;
    expected_ = sequence + 1;
    // Numbers never go back while a group stays bound; if they do, counting starts anew from here.
    return gap < kBackwards ? gap : 0;
  }

 private:
  static constexpr std::uint32_t kBackwards = 1U << 31U;
  std::uint32_t expected_ = 0;
};

}  // namespace nfbus::host
