#include "bus/server/line_queue.hpp"

#include <algorithm>
#include <utility>

namespace nfbus::host {

LineList::~LineList() {
  while (first_ != nullptr) drop_first_block();
}

// The first is not charged: it stays with the client, so that a line that is sent at once allocates nothing.
LineList::Block* LineList::make_block() {
  auto* const block = new Block;  // NOLINT(cppcoreguidelines-owning-memory)
  if (first_ != nullptr) store_.charge(sizeof(Block));
  return block;
}

void LineList::drop_first_block() noexcept {
  Block* const next = first_->next;
  delete std::exchange(first_, next);  // NOLINT(cppcoreguidelines-owning-memory)
  if (next != nullptr) store_.discharge(sizeof(Block));
}

void LineList::push_back(LineRef line) {
  if (first_ == nullptr) {
    first_ = last_ = make_block();
  } else if (end_ == kBlockLines) {
    last_ = last_->next = make_block();
    end_ = 0;
  }
  last_->lines.at(end_++) = std::move(line);
  ++size_;
}

void LineList::push_front(LineRef line) {
  if (size_ == 0) return push_back(std::move(line));
  if (begin_ == 0) {
    Block* const block = make_block();
    block->next = std::exchange(first_, block);
    begin_ = kBlockLines;
  }
  first_->lines.at(--begin_) = std::move(line);
  ++size_;
}

void LineList::pop_front() noexcept {
  front().reset();
  ++begin_;
  --size_;
  if (size_ == 0) {
    while (first_ != last_) drop_first_block();
    begin_ = end_ = 0;
  } else if (begin_ == kBlockLines) {
    drop_first_block();
    begin_ = 0;
  }
}

void LineQueue::push(LineRef line) {
  const std::size_t cost = line.charged_bytes();
  if (bytes_ + cost > budget_bytes_) drop_oldest_until(cost < budget_bytes_ ? budget_bytes_ - cost : 0);
  ++counters_.pushed;
  bytes_ += cost;
  lines_.push_back(std::move(line));
}

void LineQueue::count_missed(std::uint64_t lines) noexcept {
  counters_.pushed += lines;
  counters_.overflowed += lines;
  missed_ += lines;
}

void LineQueue::shrink_to(std::size_t bytes) { drop_oldest_until(bytes); }

void LineQueue::drop_oldest_until(std::size_t bytes) {
  // What is partly sent, and a marker, stay in front.
  LineRef kept;
  if ((front_sent_ != 0 || marker_waits_) && !lines_.empty()) {
    kept = std::move(lines_.front());
    lines_.pop_front();
  }
  while (bytes_ > bytes && !lines_.empty()) {
    bytes_ -= lines_.front().charged_bytes();
    lines_.pop_front();
    ++counters_.overflowed;
    ++missed_;
  }
  if (kept) lines_.push_front(std::move(kept));
}

std::uint64_t LineQueue::take_missed() {
  if (marker_waits_ && front_sent_ == 0) {
    missed_ += marked_;
    bytes_ -= lines_.front().charged_bytes();
    lines_.pop_front();
    marker_waits_ = false;
  }
  marked_ = std::exchange(missed_, 0);
  return marked_;
}

void LineQueue::push_marker(LineRef marker) {
  bytes_ += marker.charged_bytes();
  lines_.push_front(std::move(marker));
  marker_waits_ = true;
}

std::size_t LineQueue::gather(std::span<iovec> out, std::size_t most_bytes) const {
  std::size_t pieces = 0;
  std::size_t bytes = 0;
  std::size_t skip = front_sent_;
  lines_.visit([&](const LineRef& line) {
    if (pieces == out.size() || bytes >= most_bytes) return false;
    const std::string_view rest = line.view().substr(std::exchange(skip, 0));
    // sendmsg() only reads.
    out[pieces++] = {.iov_base = const_cast<char*>(rest.data()), .iov_len = rest.size()};
    bytes += rest.size();
    return true;
  });
  return pieces;
}

void LineQueue::sent(std::size_t bytes) {
  while (bytes != 0) {
    const LineRef& front = lines_.front();
    const std::size_t rest = front.size() - front_sent_;
    if (bytes < rest) {
      front_sent_ += bytes;
      return;
    }
    bytes -= rest;
    bytes_ -= front.charged_bytes();
    front_sent_ = 0;
    if (!std::exchange(marker_waits_, false)) ++counters_.delivered;
    lines_.pop_front();
  }
}

LineCounters LineQueue::counters() const noexcept {
  LineCounters now = counters_;
  now.queued = lines_.size() - (marker_waits_ ? 1 : 0);
  return now;
}

}  // namespace nfbus::host
