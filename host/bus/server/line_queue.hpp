// What waits for one client: lines, bounded in bytes; when it is full the oldest go, and are counted.
#pragma once

#include "bus/server/line.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace nfbus::host {

// What became of a client's lines. At any moment: pushed = delivered + overflowed + queued.
struct LineCounters {
  std::uint64_t pushed = 0;
  std::uint64_t delivered = 0;   // handed to the kernel whole
  std::uint64_t overflowed = 0;  // dropped, since the queue was full
  std::uint64_t queued = 0;
};

// Thread safety: none.
class LineQueue {
 public:
  // A single line is always let in, whatever the budget.
  explicit LineQueue(std::size_t budget_bytes) noexcept : budget_bytes_(budget_bytes) {}

  // Adds a line at the end; as many of the oldest go as must for it to fit. A line that is partly sent never goes.
  void push(LineRef line);
  // Counts lines that never came in, as pushed and overflowed.
  void count_missed(std::uint64_t lines) noexcept;
  // Drops the oldest until at most `bytes` are queued.
  void shrink_to(std::size_t bytes);
  // Puts a line that is not counted in front of all others, which says that take_missed() lines are missing there.
  void push_marker(LineRef marker);
  // Whether it can: not inside of a line. A marker of which nothing is sent is taken back by take_missed().
  [[nodiscard]] bool may_take_marker() const noexcept { return front_sent_ == 0; }
  // Lines that went since this was last asked, and that no marker told of.
  [[nodiscard]] std::uint64_t take_missed();
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }

  // What is to be sent next, as far as `out` reaches and until `most_bytes` are in it; returns how many pieces.
  [[nodiscard]] std::size_t gather(std::span<iovec> out, std::size_t most_bytes) const;
  // So many bytes of that were sent.
  void sent(std::size_t bytes);

  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return bytes_; }
  [[nodiscard]] LineCounters counters() const noexcept;

 private:
  void drop_oldest_until(std::size_t bytes);

  const std::size_t budget_bytes_;
  std::deque<LineRef> lines_;
  std::size_t bytes_ = 0;       // charged, of lines_
  std::size_t front_sent_ = 0;  // bytes of the first line that are sent
  bool marker_waits_ = false;   // the first line is a marker,
  std::uint64_t marked_ = 0;    // for so many missed lines
  std::uint64_t missed_ = 0;
  LineCounters counters_;
};

}  // namespace nfbus::host
