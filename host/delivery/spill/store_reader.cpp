// The reader's side of a store: records in order, what is lost between them, and what is done with.
#include "delivery/spill/store_impl.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace nfbus::host::spill {

std::uint64_t Store::Impl::read(std::vector<Record>& out, std::size_t most, std::size_t most_bytes) {
  std::uint64_t lost = 0;
  skip_what_it_has();
  for (bool again = true; again;) {
    again = false;
    out.clear();
    gaps_.clear();
    read_some(out, most, most_bytes);
    hand_over(out, lost, again);
  }
  return lost;
}

// Fills `out` with consecutive records; gaps_ are before the first of them.
void Store::Impl::read_some(std::vector<Record>& out, std::size_t most, std::size_t most_bytes) {
  std::size_t bytes = 0;
  while (out.size() < most && (out.empty() || bytes < most_bytes)) {
    if (!reading_ && !open_next()) break;
    Record record;
    const Found found = reading_->cursor.look(record);
    if (found == Found::load) {
      if (!out.empty()) break;  // their bodies are in the window
      if (!reading_->cursor.load()) {
        const std::string why = error_reason();
        const std::uint64_t id = reading_->opened.head.id;
        reading_.reset();
        set_aside(id, why);
      }
      continue;
    }
    if (found == Found::end || record.number >= reading_->end) {
      if (!out.empty()) {
        if (found == Found::end && reading_->active && refresh_reading() && reading_) continue;
        break;
      }
      if (refresh_reading()) continue;
      if (expected_ < reading_->end) gaps_.push_back({.first = expected_, .end = reading_->end});
      expected_ = std::max(expected_, reading_->end);
      if (reading_->active) break;
      reading_.reset();
      continue;
    }
    const bool settled = done_.contains(record.number);
    if (record.number < expected_ || settled) {
      if (!out.empty()) break;
      if (expected_ < record.number) gaps_.push_back({.first = expected_, .end = record.number});
      expected_ = std::max(expected_, record.number + 1);
      reading_->cursor.pass();
      continue;
    }
    if (expected_ < record.number) {
      if (!out.empty()) break;
      gaps_.push_back({.first = expected_, .end = record.number});
    }
    if (out.empty()) {
      batch_ = {.number = record.number, .segment = reading_->opened.head.id, .offset = reading_->cursor.offset()};
    }
    out.push_back(record);
    bytes += record.body.size();
    expected_ = record.number + 1;
    reading_->cursor.pass();
  }
}

// What was read becomes the reader's, but for what the writer evicted meanwhile, or appended as the reader's.
void Store::Impl::hand_over(std::vector<Record>& out, std::uint64_t& lost, bool& again) {
  const MutexLock lock(mutex_);
  const std::uint64_t begin = std::max(begin_, read_to_);
  const auto kept = std::ranges::find_if(out, [begin](const Record& record) { return record.number >= begin; });
  again = !out.empty() && kept == out.end();
  if (kept == out.begin() && kept != out.end() && marks_.size() < kMostMarks) marks_.push_back(batch_);
  out.erase(out.begin(), kept);
  take_evicted_as_done();
  for (const Numbers& gap : gaps_) {
    const Numbers range{.first = std::max(gap.first, begin), .end = gap.end};
    if (range.first >= range.end) continue;
    const std::uint64_t missing = done_.missing(range);
    lost += missing;
    corrupted_ += missing;
    done_.add(range);
  }
  expected_ = std::max(expected_, begin);
  read_to_ = expected_;
}

// They are counted.
void Store::Impl::take_evicted_as_done() {
  for (const Numbers& range : evicted_unread_.ranges()) done_.add(range);
  evicted_unread_ = {};
}

// Opens the segment of the next record. False: there is none, or not now.
bool Store::Impl::open_next() {
  for (;;) {
    Segment segment;
    {
      const MutexLock lock(mutex_);
      expected_ = std::max(expected_, begin_);
      if (expected_ >= end_) return false;
      if (segments_.empty()) {
        gaps_.push_back({.first = expected_, .end = end_});
        expected_ = end_;
        return false;
      }
      auto next = std::ranges::upper_bound(segments_, expected_, {}, &Segment::first);
      if (next != segments_.begin()) --next;
      segment = *next;
    }
    auto opened = open_segment(files_, folder_.get(), settings_.folder, segment.id, Open::look);
    if (!opened) {
      if (opened.error().code == Code::busy) return false;  // too many open files: another time
      set_aside(segment.id, to_string(opened.error()));
      continue;
    }
    std::uint64_t limit = segment.data_end;
    if (limit == 0) {
      const auto end = segment_end(files_, *opened);
      if (!end) {
        set_aside(segment.id, error_reason());
        continue;
      }
      limit = end->offset;
    }
    const Mark hint = mark_before(expected_, segment.id);
    Cursor cursor(files_, opened->file.get(), opened->head.seed, kHeadBytes, segment.first);
    cursor.set_limit(limit);
    if (hint.number != 0 && hint.offset < limit) {
      Cursor from_hint(files_, opened->file.get(), opened->head.seed, hint.offset, hint.number);
      from_hint.set_limit(limit);
      if (at_hint(from_hint, hint)) cursor = std::move(from_hint);
    }
    reading_.emplace(Reading{.opened = std::move(opened).value(), .cursor = std::move(cursor)});
    static_cast<void>(refresh_reading());
    if (reading_) return true;
  }
}

// Records that were appended since, and that the reader has, are passed.
void Store::Impl::skip_what_it_has() {
  const MutexLock lock(mutex_);
  if (expected_ >= read_to_) return;
  expected_ = read_to_;
  reading_.reset();
}

// The last known place in the segment that is not behind the record `number`; its own number is 0 where there is none.
Store::Impl::Mark Store::Impl::mark_before(std::uint64_t number, std::uint64_t segment) const {
  const MutexLock lock(mutex_);
  auto behind = std::ranges::upper_bound(marks_, number, {}, &Mark::number);
  if (behind != marks_.begin() && (--behind)->segment == segment) return *behind;
  return hint_.segment == segment && hint_.number <= number ? hint_ : Mark();
}

// A hint may be older than what it points at.
bool Store::Impl::at_hint(Cursor& cursor, const Mark& hint) {
  for (Record record;;) {
    const Found found = cursor.look(record);
    if (found == Found::record) return record.number == hint.number && cursor.offset() == hint.offset;
    if (found == Found::end || cursor.offset() != hint.offset || !cursor.load()) return false;
  }
}

// What the writer did to the segment that is read. True: look again.
bool Store::Impl::refresh_reading() {
  const MutexLock lock(mutex_);
  const std::uint64_t id = reading_->opened.head.id;
  const auto found = std::ranges::lower_bound(segments_, id, {}, &Segment::id);
  if (found == segments_.end() || found->id != id) {
    reading_.reset();
    expected_ = std::max(expected_, begin_);
    return true;
  }
  const std::uint64_t end = end_of_segment(static_cast<std::size_t>(found - segments_.begin()));
  const bool active = id == active_id_;
  const bool more = found->data_end > reading_->cursor.limit();
  const bool changed = more || end != reading_->end || active != reading_->active;
  if (more) reading_->cursor.set_limit(found->data_end);
  reading_->end = end;
  reading_->active = active;
  return changed;
}

// Its records are lost; what follows goes on. The active one is not renamed: the writer has it.
void Store::Impl::set_aside(std::uint64_t id, const std::string& why) {
  const MutexLock publishing(publishing_);
  {
    const MutexLock lock(mutex_);
    const auto found = std::ranges::find(segments_, id, &Segment::id);
    if (found == segments_.end()) return;  // the writer evicted it
    const auto index = static_cast<std::size_t>(found - segments_.begin());
    const std::uint64_t end = end_of_segment(index);
    if (expected_ < end) gaps_.push_back({.first = expected_, .end = end});
    expected_ = std::max(expected_, end);
    if (id == active_id_) return;
    bytes_ -= found->bytes;
    segments_.erase(found);
  }
  const bool renamed = files_.rename(folder_.get(), segment_name(id), set_aside_name(id)) == 0;
  if (renamed && settings_.sync != Sync::never) static_cast<void>(files_.fsync_folder(folder_.get()));
  add_news(fmt::format("{}/{} cannot be read ({}){}", settings_.folder, segment_name(id), why,
                       renamed ? ": it is set aside as " + set_aside_name(id) : std::string()));
}

Result<void> Store::Impl::settle(std::uint64_t frontier, std::span<const Range> done) {
  bool whole_segment = false;
  {
    const MutexLock lock(mutex_);
    for (const Range& range : done) done_.add({.first = range.first, .end = range.first + range.count});
    take_evicted_as_done();
    frontier_ = done_.end_of(std::max(frontier_, std::min(frontier, end_)));
    done_.drop_before(frontier_);
    expected_ = std::max(expected_, frontier_);
    read_to_ = std::max(read_to_, frontier_);
    while (!marks_.empty() && marks_.front().number <= frontier_) {
      hint_ = marks_.front();
      marks_.pop_front();
    }
    whole_segment = !segments_.empty() && segments_.front().id != active_id_ && end_of_segment(0) <= frontier_;
  }
  if (whole_segment) return drop_front({}, false);
  const MutexLock publishing(publishing_);
  return write_state(false);
}

void Store::Impl::rewind() {
  const MutexLock lock(mutex_);
  reading_.reset();
  marks_.clear();
  take_evicted_as_done();
  // What the reader had and gives back, of segments that went meanwhile, is nowhere any more.
  evicted_ += done_.missing({.first = frontier_, .end = begin_});
  frontier_ = done_.end_of(std::max(frontier_, begin_));
  done_.drop_before(frontier_);
  expected_ = frontier_;
  read_to_ = expected_;
}

}  // namespace nfbus::host::spill
