#include "bus/server/line_queue.hpp"

#include <algorithm>
#include <utility>

namespace nfbus::host {

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
  const std::size_t kept = front_sent_ != 0 || marker_waits_ ? 1 : 0;
  std::size_t dropped = 0;
  while (bytes_ > bytes && kept + dropped < lines_.size()) {
    bytes_ -= lines_[kept + dropped].charged_bytes();
    ++dropped;
  }
  const auto first = lines_.begin() + static_cast<std::ptrdiff_t>(kept);
  lines_.erase(first, first + static_cast<std::ptrdiff_t>(dropped));
  counters_.overflowed += dropped;
  missed_ += dropped;
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
  for (const LineRef& line : lines_) {
    if (pieces == out.size() || bytes >= most_bytes) break;
    const std::string_view rest = line.view().substr(std::exchange(skip, 0));
    // sendmsg() only reads.
    out[pieces++] = {.iov_base = const_cast<char*>(rest.data()), .iov_len = rest.size()};
    bytes += rest.size();
  }
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
