// A store's parts. Its functions are in store.cpp (opening, closing, the state), store_writer.cpp and store_reader.cpp.
#pragma once

#include "delivery/spill/cursor.hpp"
#include "delivery/spill/files.hpp"
#include "delivery/spill/format.hpp"
#include "delivery/spill/number_set.hpp"
#include "delivery/spill/recovery.hpp"
#include "delivery/spill/segment_writer.hpp"
#include "delivery/spill/state_file.hpp"
#include "delivery/spill/store.hpp"
#include "support/mutex.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host::spill {

class Store::Impl {
 public:
  Impl(Settings settings, Files& files, Handle folder, Handle lock, Recovered recovered, StateFile state_file);

  // [writer]
  Result<Appended> append(std::span<const Draft> drafts, Reader reader);
  Result<std::uint64_t> tick();
  // [reader]
  std::uint64_t read(std::vector<Record>& out, std::size_t most, std::size_t most_bytes);
  Result<void> settle(std::uint64_t frontier, std::span<const Range> done);
  void rewind();
  // [any]
  Snapshot snapshot() const;
  std::uint64_t end() const;
  std::uint64_t segment_limit() const;
  std::uint64_t next_to_read() const;
  std::vector<std::string> take_news();
  // [owner]
  Result<void> close();
  // What is done with when it is opened.
  void drop_settled();

  const std::vector<std::string> notes;

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::size_t kMostMarks = 4096;

  // Where a record stands.
  struct Mark {
    std::uint64_t number = 0;  // 0: nowhere
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
  };
  // When a record was written.
  struct Time {
    std::uint64_t number;
    std::int64_t ns;
  };
  // The segment that is read.
  struct Reading {
    OpenSegment opened;
    Cursor cursor;
    std::uint64_t end = 0;  // its records are before this number
    bool active = false;    // the writer may append to it
  };

  // Writer.
  Result<void> check_space(std::uint64_t bytes);
  Result<void> begin_segment();
  Result<void> write_batch(std::span<const Draft> drafts, std::uint64_t bytes);
  void publish(std::uint64_t bytes, std::size_t count, Reader reader);
  void retire_active();
  void make_room(std::uint64_t bytes);
  void drop_old(std::int64_t before_ns);
  [[nodiscard]] std::uint64_t take_evicted();
  void suspect(const Error& error);

  // Reader.
  bool open_next();
  [[nodiscard]] static bool at_hint(Cursor& cursor, const Mark& hint);
  bool refresh_reading();
  void set_aside(std::uint64_t id, const std::string& why);
  void read_some(std::vector<Record>& out, std::size_t most, std::size_t most_bytes) NFBUS_OWNERS_VIEW;
  void hand_over(std::vector<Record>& out, std::uint64_t& lost, bool& again);
  void skip_what_it_has();
  void take_evicted_as_done() NFBUS_REQUIRES(mutex_);
  [[nodiscard]] Mark mark_before(std::uint64_t number, std::uint64_t segment) const;

  // All.
  using Which = std::function<bool(const Segment& front)>;
  Result<void> drop_front(const Which& which, bool evicts);
  Result<void> write_state(bool force) NFBUS_REQUIRES(publishing_);
  void add_news(std::string text);
  [[nodiscard]] std::uint64_t end_of_segment(std::size_t index) const NFBUS_REQUIRES(mutex_);

  // Constant after construction.
  const Settings settings_;
  Files& files_;
  Handle folder_;
  Handle lock_;

  // The writer's.
  std::optional<SegmentWriter> active_;
  std::vector<std::uint8_t> scratch_;
  Clock::time_point synced_at_ = Clock::now();
  std::uint64_t space_checked_bytes_ = 0;  // may be written before the next look at what is free
  std::uint64_t told_evicted_ = 0;         // of evicted_, what append() and tick() have returned

  // The reader's.
  std::optional<Reading> reading_;
  std::uint64_t expected_;     // the number of the next record
  std::vector<Numbers> gaps_;  // found missing in this read()
  Mark batch_;                 // where the records of this read() begin

  // One at a time publishes: writes the state, makes and removes names. Taken before mutex_, never with it held.
  Mutex publishing_;
  StateFile state_file_ NFBUS_GUARDED_BY(publishing_);
  StateSlot slot_ NFBUS_GUARDED_BY(publishing_);

  // What all see.
  mutable Mutex mutex_;
  std::deque<Segment> segments_ NFBUS_GUARDED_BY(mutex_);  // the last one is the active one, where there is one
  std::uint64_t bytes_ NFBUS_GUARDED_BY(mutex_) = 0;       // of all of them
  std::uint64_t next_id_ NFBUS_GUARDED_BY(mutex_);
  std::uint64_t oldest_free_id_ NFBUS_GUARDED_BY(mutex_);  // next_id_, or one whose file is about to be made
  std::uint64_t active_id_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::uint64_t begin_ NFBUS_GUARDED_BY(mutex_);  // records before it were deleted, settled or evicted
  std::uint64_t end_ NFBUS_GUARDED_BY(mutex_);
  std::uint64_t read_to_ NFBUS_GUARDED_BY(mutex_);  // records before it are the reader's
  std::uint64_t frontier_ NFBUS_GUARDED_BY(mutex_);
  NumberSet done_ NFBUS_GUARDED_BY(mutex_);  // behind the frontier: settled or lost; the reader alone changes it
  NumberSet evicted_unread_ NFBUS_GUARDED_BY(mutex_);  // not in done_ yet
  Mark hint_ NFBUS_GUARDED_BY(mutex_);                 // at the frontier or before it; the reader's
  // Where batches of the reader's begin that are not settled, ascending.
  std::deque<Mark> marks_ NFBUS_GUARDED_BY(mutex_);
  std::deque<Time> times_ NFBUS_GUARDED_BY(mutex_);  // of this run, ascending
  std::uint64_t corrupted_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::uint64_t evicted_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> news_ NFBUS_GUARDED_BY(mutex_);
  bool closed_ = false;
};

}  // namespace nfbus::host::spill
