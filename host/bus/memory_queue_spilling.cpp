// The queue in memory with a disk queue behind it.
#include "bus/memory_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace nfbus::host {

namespace {

// Written at once: large enough that a record's share of a write is small, small enough to be encoded in one buffer.
constexpr std::size_t kMostBytesAtOnce = 1UL << 20U;

// Bytes are a limit of memory, so that spilling begins before they are used up; once it has begun it makes room for
// more than the next batch. In quarters of the limits.
constexpr std::size_t kBeginAtQuarter = 3;
constexpr std::size_t kEndAtQuarter = 2;

std::size_t record_bytes(const QueueEntry& entry) noexcept {
  return entry.batch->content_bytes() * entry.size() / entry.batch->events().size();
}

// Tells of the events that a worker holds, in the order in which it got them, which of them are settled.
class SettledWalk {
 public:
  SettledWalk(std::size_t begun, const std::vector<const Event*>& left)
      : begun_(begun), next_(left.begin()), end_(left.end()) {}

  bool next(const Event& event) {
    if (begun_ == 0) return false;
    --begun_;
    if (next_ == end_ || *next_ != &event) return true;
    ++next_;
    return false;
  }

 private:
  std::size_t begun_;
  std::vector<const Event*>::const_iterator next_;
  std::vector<const Event*>::const_iterator end_;
};

}  // namespace

void MemoryQueue::begin_spilling(std::uint64_t recovered, std::uint64_t first_record, bool always,
                                 std::function<void()> wake_spiller) {
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    account_.recover(recovered);
    spilled_since_ = Clock::now();
    records_end_ = first_record;
    spills_ = true;
    spills_always_ = always;
    wake_spiller_ = std::move(wake_spiller);
    wakes = wants_spilling();
  }
  if (wakes) wake_spiller_();
}

std::uint64_t MemoryQueue::available() const noexcept {
  return account_.spilled() + (spills_always_ ? 0 : account_.waiting());
}

MemoryQueue::Clock::time_point MemoryQueue::available_since() const noexcept {
  return account_.spilled() != 0 ? spilled_since_ : waiting_.front().pushed_at;
}

bool MemoryQueue::is_on_its_way_to_disk() const noexcept {
  return account_.spilling() != 0 || (spills_always_ && !spill_fails_ && account_.waiting() != 0);
}

bool MemoryQueue::holds_records() const noexcept {
  return std::any_of(leased_.begin(), leased_.end(), [](const QueueEntry& entry) { return entry.first_record != 0; });
}

const QueueEntry* MemoryQueue::lease_spilled(QueueEntry entry) {
  const MutexLock lock(mutex_);
  if (lease_over_) return nullptr;
  account_.lease_spilled(entry.size());
  entry.slab_bytes = entry.batch->slabs().front()->size_bytes();
  leased_bytes_ += entry.charged_bytes();
  records_end_ = entry.first_record + entry.end;
  leased_.push_back(std::move(entry));
  return &leased_.back();
}

void MemoryQueue::count_corrupted(std::uint64_t events) {
  const MutexLock lock(mutex_);
  account_.corrupt(events);
}

SpillProgress MemoryQueue::spill_progress() const {
  const MutexLock lock(mutex_);
  return progress();
}

SpillProgress MemoryQueue::progress() const {
  SpillProgress out;
  if (lease_over_) return out;
  out.is_known = true;
  out.holds_records = holds_records();
  SettledWalk walk(begun_, left_);
  for (const QueueEntry& entry : leased_) {
    for (std::size_t i = entry.begin; i < entry.end; ++i) {
      const bool is_settled = walk.next(entry[i]);
      if (entry.first_record == 0) continue;
      const std::uint64_t record = entry.first_record + i;
      if (!is_settled) {
        if (out.frontier == 0) out.frontier = record;
      } else if (out.frontier != 0) {
        const bool follows = !out.done.empty() && out.done.back().first + out.done.back().count == record;
        if (follows) {
          ++out.done.back().count;
        } else {
          out.done.push_back({.first = record, .count = 1});
        }
      }
    }
  }
  // What is being lent has been written, perhaps, and is not marked yet.
  if (out.frontier == 0 && lent_) out.frontier = records_end_;
  return out;
}

void MemoryQueue::end_lease() {
  MutexLock lock(mutex_);
  wait_for_lent(lock);
  if (!lease_over_) take_back_leased();
  room_.notify_all();
  work_.notify_one();
}

// The copies would come twice, were their originals to wait again.
void MemoryQueue::wait_for_lent(MutexLock& lock) {
  while (lent_) room_.wait(lock);
}

bool MemoryQueue::is_beyond(std::size_t quarters) const noexcept {
  const std::size_t events = quarters == kBeginAtQuarter ? limits_.events : limits_.events / 4 * quarters;
  return account_.queued() > events || total_bytes() > limits_.bytes / 4 * quarters;
}

bool MemoryQueue::has_to_spill(Amount amount) noexcept {
  if (!spills_ || failed_ || waiting_.empty()) return false;
  if (amount == Amount::all || spills_always_) return true;
  spills_down_ = is_beyond(spills_down_ ? kEndAtQuarter : kBeginAtQuarter);
  return spills_down_;
}

bool MemoryQueue::wants_spilling() noexcept {
  if (spill_fails_ || spiller_woken_ || !has_to_spill(Amount::excess)) return false;
  spiller_woken_ = true;
  return true;
}

MemoryQueue::Next MemoryQueue::next_to_spill(std::vector<QueueEntry>& out, Amount amount) {
  const MutexLock lock(mutex_);
  spill_fails_ = false;
  const bool holds_unwritten = !lease_over_ && !leased_.empty() && leased_.back().first_record == 0;
  const bool due = has_to_spill(amount) || (amount == Amount::all && holds_unwritten && spills_ && !failed_);
  spiller_woken_ = due;
  if (!due) return Next::nothing;
  if (holds_unwritten) {
    begin_lending(out);
    return Next::lent;
  }
  begin_taking(out);
  return Next::taken;
}

// Those without a record are the newest ones that are leased: while records wait on disk, nothing is pulled from
// memory.
void MemoryQueue::begin_lending(std::vector<QueueEntry>& out) {
  auto first = leased_.begin();
  first_lent_ = released_;
  for (; first->first_record != 0; ++first) ++first_lent_;
  std::size_t bytes = 0;
  for (; first != leased_.end() && bytes < kMostBytesAtOnce; ++first) {
    out.push_back(*first);
    bytes += record_bytes(*first);
  }
  lent_ = true;
}

void MemoryQueue::lent_are_spilled(const std::vector<QueueEntry>& copies, std::uint64_t first_record) {
  const MutexLock lock(mutex_);
  auto leased = leased_.begin();
  for (std::uint64_t at = released_; at < first_lent_ && leased != leased_.end(); ++at) ++leased;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    // What the worker has settled meanwhile is not there any more.
    if (first_lent_ + i >= released_ && leased != leased_.end()) {
      leased->first_record = first_record - copies[i].begin;
      ++leased;
    }
    first_record += copies[i].size();
  }
  records_end_ = first_record;
  lent_ = false;
  room_.notify_all();
}

void MemoryQueue::lent_are_back() {
  const MutexLock lock(mutex_);
  lent_ = false;
  spill_fails_ = true;
  room_.notify_all();
}

void MemoryQueue::begin_taking(std::vector<QueueEntry>& out) {
  Entries taken;
  std::size_t bytes = 0;
  std::size_t events = 0;
  while (!waiting_.empty() && bytes < kMostBytesAtOnce) {
    bytes += record_bytes(waiting_.front());
    take_oldest(taken);
    events += taken.back().size();
    spilling_bytes_ += taken.back().charged_bytes();
    out.push_back(std::move(taken.back()));
  }
  run_entries_ = std::min(run_entries_, waiting_.size());
  account_.begin_spilling(events);
  keep_for_reuse(taken, free_);
}

void MemoryQueue::spilled(std::uint64_t events, std::uint64_t evicted, std::vector<QueueEntry> rest) {
  const MutexLock lock(mutex_);
  if (account_.spilled() == 0) spilled_since_ = Clock::now();
  account_.spill(events);
  account_.evict(evicted);
  spilling_bytes_ = 0;
  if (!rest.empty()) wait_again(std::move(rest));
  work_.notify_one();
  room_.notify_all();
}

// From now on the limits are kept by dropping.
void MemoryQueue::wait_again(std::vector<QueueEntry> entries) {
  spill_fails_ = true;
  account_.give_back();
  std::reverse(entries.begin(), entries.end());
  for (QueueEntry& entry : entries) {
    waiting_bytes_ += entry.charged_bytes();
    waiting_.push_front(std::move(entry));
  }
  if (failed_) {
    account_.reject_waiting();
    waiting_bytes_ = 0;
    waiting_.clear();
    forget_slab_run();
  }
  const std::uint64_t events = account_.queued();
  if (events > limits_.events) drop_oldest_events(std::min(events - limits_.events, account_.waiting()));
  while (total_bytes() > limits_.bytes && waiting_.size() > 1) drop_oldest_events(waiting_.front().size());
}

void MemoryQueue::evicted(std::uint64_t events) {
  const MutexLock lock(mutex_);
  account_.evict(events);
}

}  // namespace nfbus::host
