#include "bus/memory_queue.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace nfbus::host {

namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// Entries looked at for texts that were rendered since they were pushed: only recent batches still gain texts.
constexpr std::size_t kTextRefreshEntries = 32;

// So long the worker waits for events that are being written to disk.
constexpr std::chrono::seconds kWriteLasts{1};

// A slab of which the queue wants less than this part is copied out, so that no rare match pins it.
constexpr std::size_t kCopyOutPart = 4;

bool is_rare(std::size_t wanted_bytes, std::size_t pinned_bytes) noexcept {
  return wanted_bytes * kCopyOutPart < pinned_bytes;
}

// Entries that are kept for those to come: those of some batches.
constexpr std::size_t kReusedEntries = 64;

// `out` becomes one entry with copies of what the entries want; it may be one of them.
template <typename Iterator>
void copy_out(Iterator first, Iterator last, QueueEntry& out) {
  std::vector<const Event*> events;
  for (auto entry = first; entry != last; ++entry) {
    for (std::size_t i = entry->begin; i < entry->end; ++i) events.push_back(&(*entry)[i]);
  }
  const auto pushed_at = first->pushed_at;
  out = {.batch = copy_events(events), .wanted = {}, .begin = 0, .end = events.size(), .pushed_at = pushed_at};
}

std::size_t wanted_count(const Batch& batch, const std::vector<std::uint32_t>& wanted) noexcept {
  return wanted.empty() ? batch.events().size() : wanted.size();
}

std::size_t slab_bytes(const Batch& batch) noexcept {
  std::size_t bytes = 0;
  for (const SlabRef& slab : batch.slabs()) bytes += slab->size_bytes();
  return bytes;
}

}  // namespace

MemoryQueue::MemoryQueue(QueueLimits limits) : limits_(limits) {}

void MemoryQueue::push(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  if (wanted_count(*batch, wanted) == 0) return;
  Arrival fresh = arrival_of(batch, std::move(wanted));
  bool wakes = false;
  bool spills = false;
  {
    const MutexLock lock(mutex_);
    if (refuse_if_failed(fresh)) return;
    charge(fresh);
    const std::size_t events = fresh.entry.size();
    const std::uint64_t overflowed_before = account_.overflowed();
    make_room(fresh.entry);
    account_.publish(events);
    account_.overflow(events - fresh.entry.size());
    // A worker that waits for a larger batch than the queue can hold would wait for ever.
    full_ = full_ || account_.overflowed() != overflowed_before || account_.queued() > limits_.events;
    wakes = append(std::move(fresh));
    spills = wants_spilling();
  }
  if (wakes) work_.notify_one();  // without the lock, or the worker would wait for it at once
  if (spills) wake_spiller_();
}

void MemoryQueue::push_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  const std::size_t events = wanted_count(*batch, wanted);
  if (events == 0) return;
  if (events <= limits_.events) return push_piece_when_room(batch, std::move(wanted));
  if (wanted.empty()) {
    wanted.resize(events);
    std::iota(wanted.begin(), wanted.end(), 0U);
  }
  for (auto first = wanted.begin(); first != wanted.end();) {
    const auto last =
        first + std::min<std::ptrdiff_t>(wanted.end() - first, static_cast<std::ptrdiff_t>(limits_.events));
    push_piece_when_room(batch, {first, last});
    first = last;
  }
}

void MemoryQueue::push_piece_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  Arrival fresh = arrival_of(batch, std::move(wanted));
  bool wakes = false;
  {
    MutexLock lock(mutex_);
    waited_for_ = true;
    for (;;) {
      if (refuse_if_failed(fresh)) return;
      // Anew each time: who rendered texts or pulled entries meanwhile has changed what this one costs.
      charge(fresh);
      if (never_wait_ || fits(fresh.entry)) break;
      // The worker must wait neither for more than there can be, nor for what it has in hand to grow old.
      if (!std::exchange(full_, true)) work_.notify_one();
      room_.wait(lock);
    }
    account_.publish(fresh.entry.size());
    wakes = append(std::move(fresh));
  }
  if (wakes) work_.notify_one();
}

MemoryQueue::Arrival MemoryQueue::arrival_of(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  const std::size_t count = wanted_count(*batch, wanted);
  Arrival fresh{.entry = {.batch = batch, .wanted = std::move(wanted), .begin = 0, .end = count, .pushed_at = {}},
                .slab = batch->slabs().back().get(),
                .wanted_bytes = batch->size_bytes() * count / batch->events().size()};
  if (batch->slabs().size() > 1 && is_rare(fresh.wanted_bytes, slab_bytes(*batch))) {
    copy_out(&fresh.entry, &fresh.entry + 1, fresh.entry);
    fresh.slab = fresh.entry.batch->slabs().front().get();
    fresh.wanted_bytes = fresh.slab->size_bytes();
  }
  return fresh;
}

bool MemoryQueue::refuse_if_failed(const Arrival& fresh) {
  if (!failed_) return false;
  account_.refuse(fresh.entry.size());
  return true;
}

// Each slab that is pinned is charged once, with the entry that pinned it first: a quiet capture puts many small
// batches into one slab. As long as arrivals end in the same slab they are its run, and only the first of them pays.
// Once an arrival ends in another, no more of the old slab will come, so this is the time to see how much of it is
// wanted at all, and to copy that out where it is little: later the run's entries would have to be searched for.
void MemoryQueue::charge(Arrival& fresh) {
  if (account_.queued() == 0) forget_slab_run();  // that slab may be this one, filled anew
  if (fresh.slab != run_slab_ || fresh.entry.batch->slabs().size() > 1) compact_slab_run();
  refresh_text_charges();
  fresh.entry.slab_bytes = slab_charge(*fresh.entry.batch);
  fresh.entry.text_bytes = fresh.entry.batch->texts().size_bytes();
}

bool MemoryQueue::fits(const QueueEntry& fresh) const noexcept {
  if (account_.queued() == 0) return true;
  return account_.queued() + fresh.size() <= limits_.events && total_bytes() + fresh.charged_bytes() <= limits_.bytes;
}

// A wake-up costs both threads more than a small batch does, so the worker says before it sleeps what it waits for: so
// many events, or the first one, whose age is to be watched. Whoever brings that wakes it, and once only.
bool MemoryQueue::append(Arrival fresh) {
  bool wakes = full_;
  if (fresh.entry.size() != 0) {
    fresh.entry.pushed_at = Clock::now();
    waiting_bytes_ += fresh.entry.charged_bytes();
    ++run_entries_;
    run_wanted_bytes_ += fresh.wanted_bytes;
    run_slab_ = fresh.slab;
    wakes = wakes || account_.waiting() >= wake_at_events_ || (waiting_.empty() && wakes_at_first_);
    wakes = wakes && !spills_always_;
    if (free_.empty()) {
      waiting_.push_back(std::move(fresh.entry));
    } else {
      free_.front() = std::move(fresh.entry);
      waiting_.splice(waiting_.end(), free_, free_.begin());
    }
  }
  if (wakes) expect_no_wake();
  return wakes;
}

// Called when an arrival ends in another slab than the run's: no more of the old one will come. Where the queue wants
// little of it, the run's entries become one with copies, and the slab goes back to its pool. Entries of the run that
// were pulled meanwhile are the worker's, and stay as they are; they will be gone soon.
void MemoryQueue::compact_slab_run() {
  const std::size_t entries = std::min(run_entries_, waiting_.size());
  // While one of them waits, the slab that they pin is alive.
  if (entries != 0 && is_rare(run_wanted_bytes_, run_slab_->size_bytes())) {
    const auto first = std::prev(waiting_.end(), static_cast<std::ptrdiff_t>(entries));
    QueueEntry packed;
    copy_out(first, waiting_.end(), packed);
    for (auto entry = first; entry != waiting_.end(); ++entry) waiting_bytes_ -= entry->charged_bytes();
    waiting_.erase(first, waiting_.end());
    packed.slab_bytes = packed.batch->slabs().front()->size_bytes();
    waiting_bytes_ += packed.slab_bytes;
    waiting_.push_back(std::move(packed));
  }
  forget_slab_run();
}

void MemoryQueue::forget_slab_run() noexcept {
  run_slab_ = nullptr;
  run_entries_ = 0;
  run_wanted_bytes_ = 0;
}

std::size_t MemoryQueue::slab_charge(const Batch& batch) const {
  std::size_t bytes = 0;
  for (const SlabRef& slab : batch.slabs()) {
    if (waiting_.empty() || slab.get() != run_slab_) bytes += slab->size_bytes();
  }
  return bytes;
}

// Texts are rendered when a subscriber asks, that is, after the batch was pushed here: another's rendering makes this
// queue hold more. What is older than a few batches has its texts, or nobody wants them, so that the search ends soon.
void MemoryQueue::refresh_text_charges() {
  const std::size_t recent = std::min(waiting_.size(), kTextRefreshEntries);
  for (auto entry = std::prev(waiting_.end(), static_cast<std::ptrdiff_t>(recent)); entry != waiting_.end(); ++entry) {
    const std::size_t now = entry->batch->texts().size_bytes();
    waiting_bytes_ += now - entry->text_bytes;
    entry->text_bytes = now;
  }
}

// The caller counts what is cut off of `fresh`.
void MemoryQueue::make_room(QueueEntry& fresh) {
  // How many events there are is for whoever writes to disk to see to; memory is bounded in any case.
  const bool counts_events = !spills_ || spill_fails_;
  // Beside what was waited for, which nobody may push out, there is as much room again.
  const std::size_t share = waited_for_ ? 2 : 1;
  const auto too_many = [&]() NFBUS_REQUIRES(mutex_) {
    if (!counts_events) return std::size_t{0};
    const std::size_t total = account_.queued() + fresh.size();
    return total > share * limits_.events ? total - share * limits_.events : 0;
  };
  const auto too_big = [&]() NFBUS_REQUIRES(mutex_) {
    fresh.slab_bytes = slab_charge(*fresh.batch);  // what was dropped may have been charged for it
    return total_bytes() + fresh.charged_bytes() > share * limits_.bytes && account_.queued() != 0;
  };
  if (limits_.overflow == Overflow::drop_newest || waited_for_) {
    const std::size_t cut = too_big() ? fresh.size() : std::min(fresh.size(), too_many());
    fresh.end -= cut;
    return;
  }
  drop_oldest_events(std::min(too_many(), account_.waiting()));
  while (too_big() && !waiting_.empty()) drop_oldest_events(waiting_.front().size());
  // Still too many: the worker itself holds more than the queue may, and of those left the oldest are in `fresh`.
  const std::size_t cut = std::min(fresh.size(), too_many());
  fresh.begin += cut;
}

// The worker's events are not dropped for those that come: it may be delivering them just now.
void MemoryQueue::drop_oldest_events(std::size_t events) {
  account_.overflow(events);
  while (events != 0) {
    QueueEntry& oldest = waiting_.front();
    const std::size_t cut = std::min(events, oldest.size());
    events -= cut;
    oldest.begin += cut;
    if (oldest.size() != 0) continue;
    Entries gone;
    take_oldest(gone);
    keep_for_reuse(gone, free_);
  }
}

void MemoryQueue::take_oldest(Entries& to) {
  const auto gone = waiting_.begin();
  to.splice(to.end(), waiting_, gone);
  if (!waiting_.empty()) pass_charge_on(*gone, waiting_.front());
  // What stays with the one that goes, after this.
  waiting_bytes_ -= gone->charged_bytes();
}

// The next entry may pin the slab that `gone` was charged for: it is counted once, with whoever is left in the queue.
void MemoryQueue::pass_charge_on(QueueEntry& gone, QueueEntry& next) {
  const Slab* shared = gone.batch->slabs().back().get();
  if (next.batch->slabs().front().get() != shared) return;
  std::size_t most = 0;
  for (const SlabRef& slab : next.batch->slabs()) most += slab->size_bytes();
  const std::size_t passed = std::min({shared->size_bytes(), gone.slab_bytes, most - next.slab_bytes});
  gone.slab_bytes -= passed;
  next.slab_bytes += passed;
}

bool MemoryQueue::pull(std::vector<const QueueEntry*>& out, PullSize size, std::chrono::milliseconds age,
                       Clock::time_point deadline) {
  return pull_or_spilled(out, size, age, deadline) != Pulled::over;
}

MemoryQueue::Pulled MemoryQueue::pull_or_spilled(std::vector<const QueueEntry*>& out, PullSize size,
                                                 std::chrono::milliseconds age, Clock::time_point deadline) {
  MutexLock lock(mutex_);
  if (lease_over_) return Pulled::over;
  // An event that is alone must not wait for a batch that never fills, so that the oldest one's age ends the wait, too;
  // and so does a full queue, since nothing that is missing could come into it.
  while (available() < size.enough && !full_) {
    const auto now = Clock::now();
    auto until = deadline;
    if (available() != 0) {
      const auto due = available_since() + age;
      if (now >= due) break;
      until = std::min(until, due);
    }
    if (std::exchange(interrupted_, false) || now >= until) {
      if (is_on_its_way_to_disk()) break;
      return Pulled::taken;
    }
    wake_at_events_ = size.enough;
    // Under load the first event is soon followed by the rest of a batch. It is not old before `age` is over from now.
    wakes_at_first_ = !std::exchange(under_load_, false) || available() != 0;
    work_.wait_until(lock, wakes_at_first_ ? until : std::min(until, now + age));
    expect_no_wake();
    if (lease_over_) return Pulled::over;
  }
  // What is on its way to disk is older than what waits; a disk that does not answer is not waited for.
  const auto written_by = Clock::now() + kWriteLasts;
  while (account_.spilled() == 0 && is_on_its_way_to_disk()) {
    if (!work_.wait_until(lock, written_by)) return Pulled::taken;
    if (lease_over_) return Pulled::over;
  }
  full_ = false;
  interrupted_ = false;
  if (account_.spilled() != 0) return Pulled::spilled;
  if (spills_always_) return Pulled::taken;
  // Entries are taken whole, since the halves of one would both pin its slabs. So the last may bring more than enough,
  // and more than `most` only where there would not be enough without it.
  std::size_t pulled = 0;
  while (!waiting_.empty() && (pulled < size.enough || pulled + waiting_.front().size() <= size.most)) {
    take_oldest(leased_);
    const QueueEntry& entry = leased_.back();
    out.push_back(&entry);
    pulled += entry.size();
    leased_bytes_ += entry.charged_bytes();
  }
  account_.lease(pulled);
  under_load_ = pulled >= size.enough;
  if (free_.empty()) free_.swap(spare_);
  return Pulled::taken;
}

void MemoryQueue::expect_no_wake() noexcept {
  wake_at_events_ = kNever;
  wakes_at_first_ = false;
}

bool MemoryQueue::settle(const Settled& settled) {
  SpillProgress progress;
  return settle_and_tell(settled, progress);
}

bool MemoryQueue::settle_and_tell(const Settled& settled, SpillProgress& told) {
  Entries gone;
  {
    const MutexLock lock(mutex_);
    if (lease_over_) return false;
    const bool held_records = spills_ && holds_records();
    account_.settle(settled.delivered, settled.filtered, settled.rejected);
    // What is left is named, not counted: with outcomes by item the events that come again lie anywhere among those
    // that are done. While there are some, every entry stays, since they point into them.
    begun_ += settled.begun;
    left_.clear();
    for (const nfbus_event* item : settled.left) left_.push_back(host_event(*item).origin);
    if (left_.empty()) release_begun(gone);
    // Where nothing is queued, what was missing may come: the next pull() waits for it.
    full_ = full_ && account_.queued() != 0;
    if (held_records) told = progress();
    told.holds_records = held_records;
    room_.notify_all();
  }
  keep_for_reuse(gone, spare_);
  return true;
}

void MemoryQueue::release_begun(Entries& gone) {
  while (!leased_.empty() && begun_ >= leased_.front().size()) {
    begun_ -= leased_.front().size();
    ++released_;
    leased_bytes_ -= leased_.front().charged_bytes();
    gone.splice(gone.end(), leased_, leased_.begin());
  }
}

// Gives the batches back. Where there is a choice without the lock: a slab's pool has one of its own.
void MemoryQueue::keep_for_reuse(Entries& gone, Entries& to) noexcept {
  while (!gone.empty()) {
    if (to.size() < kReusedEntries) {
      gone.front() = {};
      to.splice(to.end(), gone, gone.begin());
    } else {
      gone.pop_front();
    }
  }
}

void MemoryQueue::let_go() {
  Entries gone;
  {
    const MutexLock lock(mutex_);
    if (!lease_over_) take_back_leased();
    gone.swap(leased_);
    leased_bytes_ = 0;
    lease_over_ = false;
    room_.notify_all();
  }
  keep_for_reuse(gone, spare_);
}

// What is not settled becomes entries of its own at the head of the queue, in the old order: of each leased entry the
// events that `left_` names among those begun, and all that were not begun; but for those that have a record on disk.
// The leased entries themselves stay, without their charge, because a call that hangs may read them for as long as it
// likes.
void MemoryQueue::take_back_leased() {
  Entries again;
  std::uint64_t on_disk = 0;
  auto left = left_.begin();
  for (QueueEntry& leased : leased_) {
    const std::size_t begun = std::min(begun_, leased.size());
    begun_ -= begun;
    QueueEntry entry{.batch = leased.batch, .wanted = {}, .begin = 0, .end = 0, .pushed_at = leased.pushed_at};
    for (std::size_t i = leased.begin; i < leased.end; ++i) {
      if (i < leased.begin + begun) {
        if (left == left_.end() || *left != &leased[i]) continue;
        ++left;
      }
      entry.wanted.push_back(leased[i].index);
    }
    if (leased.first_record != 0) {
      on_disk += std::exchange(entry.wanted, {}).size();
      leased_bytes_ -= leased.charged_bytes();
      leased.slab_bytes = leased.text_bytes = 0;
    }
    if (entry.wanted.empty()) continue;
    entry.end = entry.wanted.size();
    // The one that waits pays, since it is there for longer.
    entry.slab_bytes = std::exchange(leased.slab_bytes, 0);
    entry.text_bytes = std::exchange(leased.text_bytes, 0);
    leased_bytes_ -= entry.charged_bytes();
    waiting_bytes_ += entry.charged_bytes();
    again.push_back(std::move(entry));
  }
  account_.take_back(on_disk);
  run_entries_ = std::min(run_entries_, waiting_.size());  // those that come back belong to no run
  waiting_.splice(waiting_.begin(), again);
  begun_ = 0;
  left_.clear();
  lease_over_ = !leased_.empty();
}

// What is on disk stays there.
void MemoryQueue::fail() {
  Entries gone;
  MutexLock lock(mutex_);
  failed_ = true;
  wait_for_lent(lock);
  if (!lease_over_) take_back_leased();
  account_.reject_waiting();
  waiting_bytes_ = 0;
  gone.swap(waiting_);
  forget_slab_run();
  room_.notify_all();
}

void MemoryQueue::interrupt() {
  const MutexLock lock(mutex_);
  interrupted_ = true;
  work_.notify_one();
}

void MemoryQueue::end_waiting() {
  const MutexLock lock(mutex_);
  never_wait_ = true;
  room_.notify_all();
}

QueueCounters MemoryQueue::counters() const {
  const MutexLock lock(mutex_);
  return account_.counters();
}

bool MemoryQueue::is_full() const {
  const MutexLock lock(mutex_);
  return account_.queued() >= limits_.events || total_bytes() >= limits_.bytes;
}

std::size_t MemoryQueue::pinned_bytes() const {
  const MutexLock lock(mutex_);
  return total_bytes();
}

}  // namespace nfbus::host
