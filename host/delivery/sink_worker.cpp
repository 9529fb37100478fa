#include "delivery/sink_worker.hpp"

#include "delivery/backoff.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

namespace nfbus::host {

namespace {

// The host's shape where a sink states none: calls of about a millisecond at full load, texts that stay in the cache.
constexpr std::uint32_t kDefaultBatchEvents = 1024;
constexpr std::uint64_t kDefaultBatchBytes = 1UL << 20;

// How long a call of write() may last, so that a sink which waits for a peer knows when to give up: longer than any
// peer that works takes, shorter than what whoever looks at a stuck host waits for.
constexpr std::chrono::seconds kWriteLasts{30};

// A sink whose calls fail so often, one after the other, with no event settled, is closed. An exception is more often a
// mistake in the sink than trouble that passes, so the pauses between these calls stay short.
constexpr std::uint32_t kMostFailures = 10;
constexpr std::chrono::milliseconds kFailureBackoffCap{1000};

// While draining, a sink that asks for retries gets several before the deadline.
constexpr std::chrono::milliseconds kDrainBackoffCap{100};

constexpr auto kNever = SinkWorker::Clock::time_point::max();

nfbus_shape with_defaults(nfbus_shape shape) noexcept {
  if (shape.batch_events == 0) shape.batch_events = kDefaultBatchEvents;
  if (shape.batch_bytes == 0) shape.batch_bytes = kDefaultBatchBytes;
  return shape;
}

}  // namespace

std::string_view to_string(SinkState state) noexcept {
  switch (state) {
    case SinkState::running: return "running";
    case SinkState::retrying: return "retrying";
    case SinkState::failed: return "failed";
    case SinkState::stopped: return "stopped";
  }
  return "";
}

SinkWorker::SinkWorker(std::unique_ptr<Sink> sink, nfbus_shape shape, Parts parts)
    : sink_(std::move(sink)),
      shape_(with_defaults(shape)),
      subscription_(std::move(parts.subscription)),
      queue_(parts.queue != nullptr ? *parts.queue : subscription_->queue()),
      mailbox_(queue_),
      changed_(std::move(parts.changed)),
      dead_letters_(std::move(parts.dead_letters)),
      filters_(std::move(parts.filters)),
      say_reason_([this](std::uint32_t index, std::string_view reason) {
        if (dead_letters_) reasons_.emplace_back(index, reason);
        log::repeated(log::Level::warning, log_name(), fmt::format("event rejected: {}", reason));
      }),
      last_tick_(Clock::now()) {
  health_.since_ns = realtime_ns();
  sink_->set_waker([this] { wake(); });
  filters_.set_waker([this] { mailbox_.wake(); });
}

SinkWorker::~SinkWorker() {
  sink_->set_waker({});
  filters_.set_waker({});
  if (!thread_.joinable()) {
    if (!failed_) sink_->close();
    return;
  }
  request_stop(Clock::now());
  thread_.join();
}

void SinkWorker::start() {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), ("sink:" + name()).substr(0, 15).c_str());
}

void SinkWorker::request_reopen() { mailbox_.reopen(); }

void SinkWorker::wake() {
  woken_.store(true, std::memory_order_relaxed);
  mailbox_.wake();
}

void SinkWorker::request_drain(Clock::time_point deadline) {
  deadline_.end_by(deadline);
  mailbox_.drain();
}

void SinkWorker::wait_drained(Clock::time_point deadline) {
  MutexLock lock(ended_mutex_);
  while (!drained_ && !ended_ && ended_signal_.wait_until(lock, deadline)) {
  }
}

void SinkWorker::request_stop(Clock::time_point deadline) {
  deadline_.end_by(deadline);
  mailbox_.stop();
}

bool SinkWorker::stopped_by(Clock::time_point deadline) {
  {
    MutexLock lock(ended_mutex_);
    while (!ended_ && ended_signal_.wait_until(lock, deadline)) {
    }
    if (!ended_) return false;
  }
  thread_.join();
  return true;
}

SinkSnapshot SinkWorker::snapshot() const {
  SinkSnapshot snapshot{.name = sink_->name(),
                        .plugin = std::string(plugin()),
                        .target = {},
                        .health = health(),
                        .limits = {},
                        .events = queue_.counters(),
                        .retries = retries_.load(std::memory_order_relaxed),
                        .dead_letters = dead_letters_ ? dead_letters_->written() : 0,
                        .spill = {},
                        .own = sink_->counters(),
                        .call = sink_->running_call(),
                        .filters = filters_.snapshots()};
  for (const FilterSnapshot& filter : snapshot.filters) {
    if (!snapshot.call) snapshot.call = filter.call;
  }
  return snapshot;
}

SinkHealth SinkWorker::health() const {
  const MutexLock lock(health_mutex_);
  return health_;
}

void SinkWorker::set_state(SinkState state) {
  const MutexLock lock(health_mutex_);
  if (std::exchange(health_.state, state) != state) health_.since_ns = realtime_ns();
}

void SinkWorker::note_error(std::string_view error) {
  const MutexLock lock(health_mutex_);
  health_.last_error = error;
}

void SinkWorker::run() {
  for (;;) {
    serve_control();
    tick_when_due();
    // Before the look at the queue: only if the request was there already does an empty queue mean that all is done.
    const bool stopping = mailbox_.stopping();
    const bool draining = mailbox_.draining();
    if (!failed_ && gather()) {
      deliver();
      if (past_deadline()) break;
    } else if (filters_finished_ && stopping) {
      break;
    } else if (draining) {
      // What filters publish at their end may come here: another round.
      if (!filters_finished_) {
        finish_filters();
      } else {
        flush_sink();
        note_drained();
      }
    } else if (failed_) {
      mailbox_.wait(next_tick());
    }
  }
  if (!filters_finished_) finish_filters();
  if (news_.due() != kNever) say(news_.poll(news_.due()));
  if (!failed_) {
    flush_sink();
    sink_->close();
    failed_ = true;  // closed: the destructor has nothing left to do
    set_state(SinkState::stopped);
  }
  const MutexLock lock(ended_mutex_);
  ended_ = true;
  ended_signal_.notify_all();
}

bool SinkWorker::serve_control() {
  const Mailbox::Requests requests = mailbox_.take();
  if (requests.reopen) filters_.reopen();
  if (requests.reopen && dead_letters_) dead_letters_->open();
  if (failed_) return false;
  // Filters ask in the same way, and tick_when_due() comes to theirs.
  if (requests.wake && woken_.exchange(false, std::memory_order_relaxed)) tick_sink();
  if (!requests.reopen) return false;
  const auto reopened = sink_->reopen();
  if (!reopened) {
    note_error(reopened.error().text);
    log::error(fmt::format("sink.{}: reopen: {}", name(), reopened.error().text));
  }
  return reopened.ok();
}

SinkWorker::Clock::time_point SinkWorker::next_sink_tick() const noexcept {
  if (failed_ || shape_.tick_ms == 0) return kNever;
  return last_tick_ + std::chrono::milliseconds(shape_.tick_ms);
}

SinkWorker::Clock::time_point SinkWorker::next_tick() const noexcept {
  return std::min({next_sink_tick(), filters_finished_ ? kNever : filters_.next_tick(), news_.due()});
}

// The filters of a failed sink go on: they may have something to say of what they dropped before.
void SinkWorker::tick_when_due() {
  const auto now = Clock::now();
  if (now < next_tick()) return;
  say(news_.poll(now));
  if (!filters_finished_ && now >= filters_.next_tick()) filters_.tick(now);
  if (now < next_sink_tick()) return;
  tick_sink();
}

void SinkWorker::tick_sink() {
  last_tick_ = Clock::now();
  note_tick(sink_->tick());
}

void SinkWorker::note_tick(const Result<void>& outcome) {
  if (!outcome) {
    ++failed_ticks_;
    note_error(outcome.error().text);
    log::repeated(log::Level::warning, log_name(), outcome.error().text);
  } else if (const std::uint64_t failed = std::exchange(failed_ticks_, 0); failed != 0) {
    log::repeated(log::Level::info, log_name(), fmt::format("tick() works again, after {} that failed", failed));
  }
}

void SinkWorker::finish_filters() {
  filters_.finish();
  filters_finished_ = true;
}

void SinkWorker::flush_sink() {
  if (failed_ || std::exchange(is_flushed_, true)) return;
  const auto flushed = sink_->flush();
  if (flushed) return;
  log::error(fmt::format("sink.{}: flush: {}; what it had taken may be lost", name(), flushed.error().text));
  note_error(flushed.error().text);
  unflushed_.store(true, std::memory_order_relaxed);
}

void SinkWorker::note_drained() {
  mailbox_.drained();
  const MutexLock lock(ended_mutex_);
  drained_ = true;
  ended_signal_.notify_all();
}

// Adds entries to those in hand where a call would have too few events; waits for them.
void SinkWorker::pull_more(std::size_t in_hand) {
  // Captures bring whole batches, and few add up to a full one: to wait for that would mean to split the last.
  const std::size_t enough = (shape_.batch_events + 1) / 2;
  std::chrono::milliseconds age(shape_.batch_age_ms);
  if (in_hand != 0 && (in_hand >= enough || age.count() == 0)) return;
  const auto due = in_hand == 0 ? kNever : entries_[entry_]->pushed_at + age;
  auto until = std::min(due, next_tick());
  if (mailbox_.draining()) {
    age = std::chrono::milliseconds(0);
    until = Clock::time_point::min();
  }
  const PullSize size{.enough = enough - in_hand, .most = shape_.batch_events - in_hand};
  if (!queue_.pull(entries_, size, age, until)) let_go();
}

// Fills items_ with one call's events; false when there are none.
bool SinkWorker::gather() {
  std::size_t in_hand = 0;
  for (std::size_t i = entry_; i < entries_.size(); ++i) in_hand += entries_[i]->size();
  pull_more(in_hand - entry_begun_);
  items_bytes_ = 0;
  while (entry_ < entries_.size() && items_.size() < shape_.batch_events) {
    const QueueEntry& entry = *entries_[entry_];
    if (!items_.empty() && items_.front()->kind != entry.batch->kind()) break;
    // The usual case reads no event.
    if (entry_begun_ == 0 && entry.is_whole() && items_.size() + entry.size() <= shape_.batch_events &&
        items_bytes_ + entry.batch->content_bytes() <= shape_.batch_bytes) {
      for (const Event& event : entry.batch->events()) items_.push_back(&event);
      items_bytes_ += entry.batch->content_bytes();
      entry_begun_ = entry.size();
    }
    bool is_full = false;
    while (entry_begun_ != entry.size() && items_.size() < shape_.batch_events) {
      const Event& event = entry[entry.begin + entry_begun_];
      const std::size_t size_bytes = event_size_bytes(event);
      is_full = !items_.empty() && items_bytes_ + size_bytes > shape_.batch_bytes;
      if (is_full) break;
      items_.push_back(&event);
      items_bytes_ += size_bytes;
      ++entry_begun_;
    }
    if (is_full) break;
    if (entry_begun_ == entry.size()) {
      ++entry_;
      entry_begun_ = 0;
    }
  }
  begun_ += items_.size();
  return !items_.empty();
}

void SinkWorker::deliver() {
  if (!filters_.empty()) {
    const std::size_t dropped = filters_.apply(items_, overlay_);
    if (dropped != 0) {
      settle(0, dropped, 0);
      items_bytes_ = 0;
      for (const nfbus_event* item : items_) items_bytes_ += event_size_bytes(*item);
    }
  }
  write_all();
  if (!items_.empty()) return;  // the deadline passed: they stay queued
  overlay_.clear();
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(entry_));
  entry_ = 0;
}

// items_ holds what is left. Entries of which nothing is left are the queue's again, and the events in them gone.
void SinkWorker::settle(std::uint64_t delivered, std::uint64_t filtered, std::uint64_t rejected) {
  const Settled settled{.delivered = delivered,
                        .filtered = filtered,
                        .rejected = rejected,
                        .begun = std::exchange(begun_, 0),
                        .left = items_};
  if (!queue_.settle(settled)) let_go();
}

// Whoever has ended the lease sees to its events.
void SinkWorker::let_go() {
  items_.clear();
  entries_.clear();
  entry_ = 0;
  entry_begun_ = 0;
  begun_ = 0;
  queue_.let_go();
}

void SinkWorker::write_all() {
  while (!items_.empty()) {
    outcomes_.resize(items_.size(), Outcome::unnamed);
    deadline_.begin(Clock::now() + kWriteLasts);
    is_flushed_ = false;
    WriteResult result = sink_->write({.items = items_,
                                       .size_bytes = items_bytes_,
                                       .outcomes = outcomes_,
                                       .reason = say_reason_,
                                       .deadline = deadline_});
    const bool progress = settle_named(result);
    count_failures(result, progress);
    if (result.status == WriteResult::Status::fatal) {
      fail(result.error);
      return;
    }
    if (items_.empty()) {
      if (std::exchange(retrying_, false)) {
        set_state(SinkState::running);
        say(news_.worked(Clock::now()));
      }
      return;
    }
    if (past_deadline()) return;
    if (result.error.empty()) result.error = "it wants events again";
    back_off(result);
  }
}

// Before it is settled: then the event is gone.
void SinkWorker::bury(std::size_t index) {
  const auto reason = std::ranges::find(reasons_, index, &std::pair<std::uint32_t, std::string>::first);
  dead_letters_->add(*items_[index], reason == reasons_.end() ? std::string_view() : reason->second);
}

// Settles what is delivered or rejected, wherever it stands in the batch; the others stay in items_, in their order.
bool SinkWorker::settle_named(const WriteResult& result) {
  const std::size_t count = items_.size();
  std::uint64_t delivered = 0;
  std::uint64_t rejected = 0;
  // The usual case reads neither an event nor an outcome of its own: memcmp() tells that all are as the first.
  const bool all_unnamed =
      outcomes_.front() == Outcome::unnamed && std::memcmp(outcomes_.data(), outcomes_.data() + 1, count - 1) == 0;
  if (all_unnamed) {
    if (result.status != WriteResult::Status::ok) return false;
    delivered = count;
    items_.clear();
  } else {
    const Outcome others = result.status == WriteResult::Status::ok ? Outcome::delivered : Outcome::again;
    std::size_t left = 0;
    items_bytes_ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Outcome named = std::exchange(outcomes_[i], Outcome::unnamed);
      const Outcome outcome = named == Outcome::unnamed ? others : named;
      if (outcome == Outcome::delivered) {
        ++delivered;
      } else if (outcome == Outcome::rejected) {
        ++rejected;
        if (dead_letters_) bury(i);
      } else {
        items_bytes_ += event_size_bytes(*items_[i]);
        items_[left++] = items_[i];
      }
    }
    items_.resize(left);
  }
  if (dead_letters_) dead_letters_->flush();
  reasons_.clear();
  if (delivered + rejected == 0) return false;
  settle(delivered, 0, rejected);
  return true;
}

// Has a result that failed once too often be fatal.
void SinkWorker::count_failures(WriteResult& result, bool progress) {
  if (progress) attempts_ = 0;
  if (progress || result.status != WriteResult::Status::failed) failures_ = 0;
  if (result.status != WriteResult::Status::failed || ++failures_ < kMostFailures) return;
  result.status = WriteResult::Status::fatal;
  result.error += fmt::format(" ({} times in a row, with no event delivered or rejected)", failures_);
}

SinkWorker::Clock::duration SinkWorker::delay_before_retry(const WriteResult& result) {
  if (result.retry_after_ms != 0) return std::chrono::milliseconds(result.retry_after_ms);
  // Jitter keeps the sinks of many hosts from returning to a recovered server all at once.
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto delay = backoff_delay(++attempts_, random);
  return result.status == WriteResult::Status::failed ? std::min(delay, kFailureBackoffCap) : delay;
}

void SinkWorker::back_off(const WriteResult& result) {
  retries_.fetch_add(1, std::memory_order_relaxed);
  retrying_ = true;
  set_state(SinkState::retrying);
  note_error(result.error);
  last_failure_ = result.error;
  say(news_.failed(Clock::now()));
  const auto delay = delay_before_retry(result);
  const auto until = Clock::now() + delay;
  while (Clock::now() < until && !mailbox_.draining()) {
    mailbox_.wait(std::min(until, next_tick()));
    if (serve_control()) return;
    tick_when_due();
  }
  if (Clock::now() < until) {
    std::this_thread::sleep_until(std::min({until, Clock::now() + kDrainBackoffCap, deadline_.end()}));
  }
}

void SinkWorker::say(FailureNews::Say what) {
  switch (what) {
    case FailureNews::Say::nothing: return;
    case FailureNews::Say::failure: {
      const std::uint64_t before = news_.take_failures() - 1;
      log::warning(fmt::format("{}: {}; its events wait, and it is tried again{}", log_name(), last_failure_,
                               before == 0 ? "" : fmt::format(" ({} more such troubles before)", before)));
      tell(SinkState::retrying, last_failure_);
      return;
    }
    case FailureNews::Say::recovery: {
      const auto lasted = std::chrono::duration<double>(Clock::now() - news_.bad_since());
      log::info(fmt::format("{}: delivers again, after {:.1f} s and {} retries", log_name(), lasted.count(),
                            news_.take_retries()));
      tell(SinkState::running, "");
      return;
    }
    case FailureNews::Say::held_back:
      log::warning(fmt::format("{}: {} more such troubles, with {} retries; it delivers", log_name(),
                               news_.take_failures(), news_.take_retries()));
      return;
  }
}

void SinkWorker::fail(const std::string& why) {
  log::error(fmt::format("sink.{}: closed for good: {}", name(), why));
  sink_->close();
  news_ = {};
  failed_ = true;
  set_state(SinkState::failed);
  note_error(why);
  tell(SinkState::failed, why);
  queue_.fail();
  let_go();
}

void SinkWorker::tell(SinkState state, std::string_view why) const {
  if (changed_) changed_(*this, state, why);
}

bool SinkWorker::past_deadline() const noexcept { return Clock::now() >= deadline_.end(); }

}  // namespace nfbus::host
