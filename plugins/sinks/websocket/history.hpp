// The newest events, in record form: what a page that is opened late, an export and a rule that is tried look at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>

namespace websocket {

// Bounded in events and in bytes. Events have rising numbers without gaps. Thread safety: none.
class History {
 public:
  // most_bytes: of memory, which is taken as it is needed. first: the first event's number, at least 1.
  History(std::size_t most_events, std::size_t most_bytes, std::uint64_t first);

  // Keeps a record (nfbus_host.record) as the newest; of one that has no room at all the number and time alone.
  void add(std::int64_t time_ns, std::span<const std::uint8_t> record);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return used_bytes_; }
  // The numbers that are kept: [oldest(), end()).
  [[nodiscard]] std::uint64_t oldest() const noexcept { return end_ - entries_.size(); }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
  // When the oldest came; 0: there is none.
  [[nodiscard]] std::int64_t oldest_ns() const noexcept { return entries_.empty() ? 0 : entries_.front().time_ns; }
  // Valid until the next add(); empty: it is not kept, or had no room.
  [[nodiscard]] std::span<const std::uint8_t> record(std::uint64_t number) const noexcept;

 private:
  struct Entry {
    std::int64_t time_ns;
    std::size_t begin;
    std::uint32_t size;
  };
  void pop();

  const std::size_t most_events_;
  const std::size_t room_bytes_;
  std::unique_ptr<std::uint8_t[]> room_;  // a ring; a record lies in one piece
  std::deque<Entry> entries_;
  std::size_t next_ = 0;  // where the next record goes
  std::size_t used_bytes_ = 0;
  std::uint64_t end_;
};

}  // namespace websocket
