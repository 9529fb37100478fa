#include "history.hpp"

#include <cstring>

namespace websocket {

// Not cleared: the system gives its pages when they are written to.
History::History(std::size_t most_events, std::size_t most_bytes, std::uint64_t first)
    : most_events_(most_events), room_bytes_(most_bytes), room_(new std::uint8_t[most_bytes]), end_(first) {}

void History::pop() {
  used_bytes_ -= entries_.front().size;
  entries_.pop_front();
}

void History::add(std::int64_t time_ns, std::span<const std::uint8_t> record) {
  ++end_;
  if (most_events_ == 0) return;
  if (entries_.size() == most_events_) pop();
  // Numbers are without gaps: what has no room stands there without its bytes.
  if (record.size() > room_bytes_) record = {};
  if (next_ + record.size() > room_bytes_) {
    // What lies behind goes, and it begins anew.
    while (!entries_.empty() && entries_.front().begin >= next_) pop();
    next_ = 0;
  }
  // What has no bytes is in nobody's way, but may stand before one that is.
  const auto is_in_the_way = [&](const Entry& entry) {
    return !record.empty() &&
           (entry.size == 0 || (entry.begin < next_ + record.size() && next_ < entry.begin + entry.size));
  };
  while (!entries_.empty() && is_in_the_way(entries_.front())) pop();
  if (!record.empty()) std::memcpy(room_.get() + next_, record.data(), record.size());
  entries_.push_back({time_ns, next_, static_cast<std::uint32_t>(record.size())});
  next_ += record.size();
  used_bytes_ += record.size();
}

std::span<const std::uint8_t> History::record(std::uint64_t number) const noexcept {
  if (number < oldest() || number >= end_) return {};
  const Entry& entry = entries_[number - oldest()];
  return {room_.get() + entry.begin, entry.size};
}

}  // namespace websocket
