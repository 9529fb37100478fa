// Finds what a socket's count of drops tells beyond the gaps in sequence numbers, which only a later packet shows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace nfbus::host {

// The state of a group's socket.
struct SocketState {
  std::uint32_t drops;          // datagrams that it has dropped, wrapping (SK_MEMINFO_DROPS)
  std::uint64_t waiting_bytes;  // in its buffer, with the kernel's bookkeeping (SK_MEMINFO_RMEM_ALLOC)
  std::uint64_t read_bytes;     // of datagrams with packets, read from it so far
  std::uint64_t gaps;           // found in what was read
  bool busy;                    // some of what was read has not been looked at for gaps
  bool reading;                 // some may have left the buffer and not be in read_bytes yet
};

// Follows one socket from look to look. A datagram takes more room in the buffer than it has bytes: once more was read
// than had been read and waited at a look, a packet has come that the kernel logged after it, and the sequence numbers
// have told of whatever was dropped before. Of what was dropped since, each gap tells of one datagram at least.
// Thread safety: none.
class UnseenDrops {
 public:
  // How many of the datagrams that were dropped no packet may have told of yet, at most; exact while there is no gap.
  std::uint32_t update(const SocketState& now) {
    while (!marks_.empty() && now.read_bytes > marks_.front().read_up_to) {
      known_drops_ = marks_.front().drops;
      known_gaps_ = marks_.front().gaps;
      marks_.erase(marks_.begin());
    }
    const bool settled = !now.busy && !now.reading;
    if (!known_gaps_ && settled) known_gaps_ = now.gaps;
    const std::uint32_t since = now.drops - known_drops_;
    const std::uint64_t known = known_gaps_ && now.gaps > *known_gaps_ ? now.gaps - *known_gaps_ : 0;
    const auto unseen = static_cast<std::uint32_t>(since - std::min<std::uint64_t>(since, known));

    if (now.reading) return unseen;  // how far must be read is not known
    Mark mark{.read_up_to = now.read_bytes + now.waiting_bytes, .drops = now.drops, .gaps = {}};
    // The next gap may be of what was dropped before.
    if (now.waiting_bytes == 0 && settled) mark.gaps = now.gaps + (unseen != 0 ? 1 : 0);
    // Later, and sooner passed: this one tells more than those.
    while (!marks_.empty() && marks_.back().read_up_to >= mark.read_up_to) marks_.pop_back();
    if (marks_.size() == kMostMarks) marks_.pop_back();
    marks_.push_back(mark);
    return unseen;
  }

 private:
  static constexpr std::size_t kMostMarks = 8;
  // Notes what was dropped when; gaps: found in what was queued before, where that is known.
  struct Mark {
    std::uint64_t read_up_to;
    std::uint32_t drops;
    std::optional<std::uint64_t> gaps;
  };
  std::uint32_t known_drops_ = 0;
  std::optional<std::uint64_t> known_gaps_ = 0;
  std::vector<Mark> marks_;  // of looks, oldest first
};

}  // namespace nfbus::host
