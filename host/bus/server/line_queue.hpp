// Holds what waits for one client: lines, bounded in bytes; when it is full the oldest go, and are counted.
#pragma once

#include "bus/server/line.hpp"

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nfbus::host {

// Counts what became of a client's lines. At any moment: pushed = delivered + overflowed + queued.
struct LineCounters {
  std::uint64_t pushed = 0;
  std::uint64_t delivered = 0;   // handed to the kernel whole
  std::uint64_t overflowed = 0;  // dropped, since the queue was full
  std::uint64_t queued = 0;
};

// First in, first out, in blocks that but for the first are charged to the store while they live: the places in the
// queues of a thousand clients cost more than the line that they share. Thread safety: none.
class LineList {
 public:
  explicit LineList(LineStore& store) noexcept : store_(store) {}
  LineList(const LineList&) = delete;
  LineList& operator=(const LineList&) = delete;
  ~LineList();

  void push_back(LineRef line);
  void push_front(LineRef line);
  void pop_front() noexcept;
  [[nodiscard]] LineRef& front() noexcept { return first_->lines.at(begin_); }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Calls visit(line) for each, the first first, until it returns false.
  template <typename Visit>
  void visit(const Visit& call) const {
    std::size_t left = size_;
    std::size_t at = begin_;
    for (const Block* block = first_; left != 0; --left) {
      if (!call(block->lines.at(at))) return;
      if (++at == kBlockLines) {
        block = block->next;
        at = 0;
      }
    }
  }

 private:
  static constexpr std::size_t kBlockLines = 62;  // with the allocator's header half a KiB
  struct Block {
    std::array<LineRef, kBlockLines> lines;
    Block* next = nullptr;
  };
  [[nodiscard]] Block* make_block();
  void drop_first_block() noexcept;

  LineStore& store_;
  Block* first_ = nullptr;  // owned, as all behind it
  Block* last_ = nullptr;
  std::size_t begin_ = 0;  // of first_
  std::size_t end_ = 0;    // of last_
  std::size_t size_ = 0;
};

// Thread safety: none.
class LineQueue {
 public:
  // A single line is always let in, whatever the budget. store: outlives the queue.
  LineQueue(std::size_t budget_bytes, LineStore& store) noexcept : budget_bytes_(budget_bytes), lines_(store) {}

  // Adds a line at the end; as many of the oldest go as must for it to fit. A line that is partly sent never goes.
  void push(LineRef line);
  // Counts lines that never came in, as pushed and overflowed.
  void count_missed(std::uint64_t lines) noexcept;
  // Drops the oldest until at most `bytes` are queued.
  void shrink_to(std::size_t bytes);
  // Puts a line that is not counted in front of all others, which says that take_missed() lines are missing there.
  void push_marker(LineRef marker);
  // Returns whether it can: not inside of a line. A marker of which nothing is sent is taken back by take_missed().
  [[nodiscard]] bool may_take_marker() const noexcept { return front_sent_ == 0; }
  // Lines that went since this was last asked, and that no marker told of.
  [[nodiscard]] std::uint64_t take_missed();
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }

  // Fills in what is to be sent next, as far as `out` reaches and until `most_bytes` are in it; returns their number.
  [[nodiscard]] std::size_t gather(std::span<iovec> out, std::size_t most_bytes) const;
  // So many bytes of that were sent.
  void sent(std::size_t bytes);

  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return bytes_; }
  [[nodiscard]] LineCounters counters() const noexcept;

 private:
  void drop_oldest_until(std::size_t bytes);

  const std::size_t budget_bytes_;
  LineList lines_;
  std::size_t bytes_ = 0;       // charged, of lines_
  std::size_t front_sent_ = 0;  // bytes of the first line that are sent
  bool marker_waits_ = false;   // the first line is a marker,
  std::uint64_t marked_ = 0;    // for so many missed lines
  std::uint64_t missed_ = 0;
  LineCounters counters_;
};

}  // namespace nfbus::host
