#include "bus/queue.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>

namespace nfbus::host {

namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// Entries looked at for texts that were rendered since they were pushed: only recent batches still gain texts.
constexpr std::size_t kTextRefreshEntries = 32;

// A slab of which the queue wants less than this part is copied out, so that no rare match pins it.
constexpr std::size_t kCopyOutPart = 4;

bool is_rare(std::size_t wanted_bytes, std::size_t pinned_bytes) noexcept {
  return wanted_bytes * kCopyOutPart < pinned_bytes;
}

// `out` becomes one entry with copies of what the entries want; it may be one of them.
void copy_out(std::span<const QueueEntry> entries, QueueEntry& out) {
  std::vector<const Event*> events;
  for (const QueueEntry& entry : entries) {
    for (std::size_t i = entry.begin; i < entry.end; ++i) events.push_back(&entry[i]);
  }
  const auto pushed_at = entries.front().pushed_at;
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

SubscriberQueue::SubscriberQueue(QueueLimits limits) : limits_(limits) {}

void SubscriberQueue::push(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  if (wanted_count(*batch, wanted) == 0) return;
  Arrival fresh = arrival_of(batch, std::move(wanted));
  std::unique_lock lock(mutex_);
  if (refuse_if_failed(fresh)) return;
  counters_.published += fresh.entry.size();
  charge(fresh);
  const std::uint64_t overflowed_before = counters_.overflowed;
  make_room(fresh.entry);
  // A worker that waits for a larger batch than the queue can hold would wait for ever.
  full_ = full_ || counters_.overflowed != overflowed_before;
  append_and_wake(std::move(lock), std::move(fresh));
}

void SubscriberQueue::push_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
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

void SubscriberQueue::push_piece_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  Arrival fresh = arrival_of(batch, std::move(wanted));
  std::unique_lock lock(mutex_);
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
  counters_.published += fresh.entry.size();
  append_and_wake(std::move(lock), std::move(fresh));
}

SubscriberQueue::Arrival SubscriberQueue::arrival_of(const BatchRef& batch, std::vector<std::uint32_t> wanted) {
  const std::size_t count = wanted_count(*batch, wanted);
  Arrival fresh{.entry = {.batch = batch, .wanted = std::move(wanted), .begin = 0, .end = count, .pushed_at = {}},
                .slab = batch->slabs().back().get(),
                .wanted_bytes = batch->size_bytes() * count / batch->events().size()};
  if (batch->slabs().size() > 1 && is_rare(fresh.wanted_bytes, slab_bytes(*batch))) {
    copy_out({&fresh.entry, 1}, fresh.entry);
    fresh.slab = fresh.entry.batch->slabs().front().get();
    fresh.wanted_bytes = fresh.slab->size_bytes();
  }
  return fresh;
}

bool SubscriberQueue::refuse_if_failed(const Arrival& fresh) {
  if (!failed_) return false;
  counters_.published += fresh.entry.size();
  counters_.rejected += fresh.entry.size();
  return true;
}

void SubscriberQueue::charge(Arrival& fresh) {
  if (total_events() == 0) forget_slab_run();  // that slab may be this one, filled anew
  if (fresh.slab != last_slab_ || fresh.entry.batch->slabs().size() > 1) compact_slab_run();
  refresh_text_charges();
  fresh.entry.slab_bytes = slab_charge(*fresh.entry.batch);
  fresh.entry.text_bytes = fresh.entry.batch->texts().size_bytes();
}

bool SubscriberQueue::fits(const QueueEntry& fresh) const noexcept {
  if (total_events() == 0) return true;
  return total_events() + fresh.size() <= limits_.events && total_bytes() + fresh.charged_bytes() <= limits_.bytes;
}

void SubscriberQueue::append_and_wake(std::unique_lock<std::mutex> lock, Arrival fresh) {
  bool wakes = full_;
  if (fresh.entry.size() != 0) {
    fresh.entry.pushed_at = Clock::now();
    waiting_events_ += fresh.entry.size();
    waiting_bytes_ += fresh.entry.charged_bytes();
    ++run_entries_;
    run_wanted_bytes_ += fresh.wanted_bytes;
    last_slab_ = fresh.slab;
    wakes = wakes || waiting_events_ >= wake_at_events_ || (entries_.empty() && wakes_at_first_);
    entries_.push_back(std::move(fresh.entry));
  }
  if (wakes) expect_no_wake();
  lock.unlock();  // or the worker would wait for it at once
  if (wakes) work_.notify_one();
}

// The newest entries pin one slab, and no more of it will come.
void SubscriberQueue::compact_slab_run() {
  const std::size_t entries = std::min(run_entries_, entries_.size());
  // While one of them waits, the slab that they pin is alive.
  if (entries != 0 && is_rare(run_wanted_bytes_, last_slab_->size_bytes())) {
    const auto first = entries_.end() - static_cast<std::ptrdiff_t>(entries);
    std::vector<QueueEntry> run(std::make_move_iterator(first), std::make_move_iterator(entries_.end()));
    entries_.erase(first, entries_.end());
    for (const QueueEntry& entry : run) waiting_bytes_ -= entry.charged_bytes();
    QueueEntry packed;
    copy_out(run, packed);
    packed.slab_bytes = packed.batch->slabs().front()->size_bytes();
    waiting_bytes_ += packed.slab_bytes;
    entries_.push_back(std::move(packed));
  }
  forget_slab_run();
}

void SubscriberQueue::forget_slab_run() noexcept {
  last_slab_ = nullptr;
  run_entries_ = 0;
  run_wanted_bytes_ = 0;
}

std::size_t SubscriberQueue::slab_charge(const Batch& batch) const {
  std::size_t bytes = 0;
  for (const SlabRef& slab : batch.slabs()) {
    if (entries_.empty() || slab.get() != last_slab_) bytes += slab->size_bytes();
  }
  return bytes;
}

void SubscriberQueue::refresh_text_charges() {
  const std::size_t recent = std::min(entries_.size(), kTextRefreshEntries);
  for (auto entry = entries_.end() - static_cast<std::ptrdiff_t>(recent); entry != entries_.end(); ++entry) {
    const std::size_t now = entry->batch->texts().size_bytes();
    waiting_bytes_ += now - entry->text_bytes;
    entry->text_bytes = now;
  }
}

void SubscriberQueue::make_room(QueueEntry& fresh) {
  // Beside what was waited for, which nobody may push out, there is as much room again.
  const std::size_t share = waited_for_ ? 2 : 1;
  const auto too_many = [&] {
    const std::size_t total = total_events() + fresh.size();
    return total > share * limits_.events ? total - share * limits_.events : 0;
  };
  const auto too_big = [&] {
    fresh.slab_bytes = slab_charge(*fresh.batch);  // what was dropped may have been charged for it
    return total_bytes() + fresh.charged_bytes() > share * limits_.bytes && total_events() != 0;
  };
  if (limits_.overflow == Overflow::drop_newest || waited_for_) {
    const std::size_t cut = too_big() ? fresh.size() : std::min(fresh.size(), too_many());
    fresh.end -= cut;
    counters_.overflowed += cut;
    return;
  }
  drop_oldest_events(std::min(too_many(), waiting_events_));
  while (too_big() && !entries_.empty()) drop_oldest_events(entries_.front().size());
  // Still too many: the worker itself holds more than the queue may, and of those left the oldest are in `fresh`.
  const std::size_t cut = std::min(fresh.size(), too_many());
  fresh.begin += cut;
  counters_.overflowed += cut;
}

void SubscriberQueue::drop_oldest_events(std::size_t events) {
  counters_.overflowed += events;
  while (events != 0) {
    QueueEntry& oldest = entries_.front();
    const std::size_t cut = std::min(events, oldest.size());
    events -= cut;
    if (cut == oldest.size()) {
      pop_oldest();
    } else {
      oldest.begin += cut;
      waiting_events_ -= cut;
    }
  }
}

QueueEntry SubscriberQueue::pop_oldest() {
  QueueEntry gone = std::move(entries_.front());
  entries_.pop_front();
  if (!entries_.empty()) pass_charge_on(gone, entries_.front());
  waiting_events_ -= gone.size();
  waiting_bytes_ -= gone.charged_bytes();
  return gone;
}

// The next entry may pin the slab that `gone` was charged for: it is counted once, with whoever is left in the queue.
void SubscriberQueue::pass_charge_on(QueueEntry& gone, QueueEntry& next) {
  const Slab* shared = gone.batch->slabs().back().get();
  if (next.batch->slabs().front().get() != shared) return;
  std::size_t most = 0;
  for (const SlabRef& slab : next.batch->slabs()) most += slab->size_bytes();
  const std::size_t passed = std::min({shared->size_bytes(), gone.slab_bytes, most - next.slab_bytes});
  gone.slab_bytes -= passed;
  next.slab_bytes += passed;
}

void SubscriberQueue::pull(std::vector<QueueEntry>& out, PullSize size, std::chrono::milliseconds age,
                           Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (control_.stop || control_.drain || waiting_events_ >= size.enough || full_) break;
    const auto now = Clock::now();
    auto until = deadline;
    if (waiting_events_ != 0) {
      const auto due = entries_.front().pushed_at + age;
      if (now >= due) break;
      until = std::min(until, due);
    }
    if (control_.reopen || control_.tick || now >= until) return;
    wake_at_events_ = size.enough;
    // Under load the first event is soon followed by the rest of a batch. It is not old before `age` is over from now.
    wakes_at_first_ = !std::exchange(under_load_, false) || waiting_events_ != 0;
    work_.wait_until(lock, wakes_at_first_ ? until : std::min(until, now + age));
    expect_no_wake();
  }
  full_ = false;
  std::size_t pulled = 0;
  while (!entries_.empty() && (pulled < size.enough || pulled + entries_.front().size() <= size.most)) {
    out.push_back(pop_oldest());
    pulled += out.back().size();
    pulled_bytes_ += out.back().charged_bytes();
  }
  pulled_events_ += pulled;
  under_load_ = pulled >= size.enough;
}

void SubscriberQueue::expect_no_wake() noexcept {
  wake_at_events_ = kNever;
  wakes_at_first_ = false;
}

void SubscriberQueue::wait_control(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  work_.wait_until(lock, deadline, [&] { return control_.stop || control_.drain || control_.reopen || control_.tick; });
}

void SubscriberQueue::settle(std::uint64_t delivered, std::uint64_t filtered, std::uint64_t rejected) {
  const std::lock_guard lock(mutex_);
  counters_.delivered += delivered;
  counters_.filtered += filtered;
  counters_.rejected += rejected;
  pulled_events_ -= delivered + filtered + rejected;
  room_.notify_all();
}

void SubscriberQueue::release(const QueueEntry& entry) {
  const std::lock_guard lock(mutex_);
  pulled_bytes_ -= entry.charged_bytes();
  room_.notify_all();
}

void SubscriberQueue::request_stop() {
  const std::lock_guard lock(mutex_);
  control_.stop = true;
  work_.notify_all();
}

void SubscriberQueue::request_drain() {
  const std::lock_guard lock(mutex_);
  control_.drain = true;
  work_.notify_all();
}

void SubscriberQueue::drained() {
  const std::lock_guard lock(mutex_);
  control_.drain = false;
}

void SubscriberQueue::end_waiting() {
  const std::lock_guard lock(mutex_);
  never_wait_ = true;
  room_.notify_all();
}

void SubscriberQueue::request_reopen() {
  const std::lock_guard lock(mutex_);
  control_.reopen = true;
  work_.notify_all();
}

void SubscriberQueue::request_tick() {
  const std::lock_guard lock(mutex_);
  control_.tick = true;
  work_.notify_all();
}

SubscriberQueue::Control SubscriberQueue::take_control() {
  const std::lock_guard lock(mutex_);
  return std::exchange(control_,
                       Control{.stop = control_.stop, .drain = control_.drain, .reopen = false, .tick = false});
}

bool SubscriberQueue::stopping() const {
  const std::lock_guard lock(mutex_);
  return control_.stop;
}

bool SubscriberQueue::draining() const {
  const std::lock_guard lock(mutex_);
  return control_.stop || control_.drain;
}

void SubscriberQueue::fail() {
  const std::lock_guard lock(mutex_);
  failed_ = true;
  counters_.rejected += waiting_events_;
  waiting_events_ = 0;
  waiting_bytes_ = 0;
  entries_.clear();
  room_.notify_all();
}

QueueCounters SubscriberQueue::counters() const {
  const std::lock_guard lock(mutex_);
  QueueCounters counters = counters_;
  counters.queued = total_events();
  return counters;
}

std::size_t SubscriberQueue::pinned_bytes() const {
  const std::lock_guard lock(mutex_);
  return total_bytes();
}

}  // namespace nfbus::host
