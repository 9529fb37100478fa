#include "delivery/sink_worker.hpp"

#include "delivery/backoff.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <random>

namespace nfbus::host {

namespace {

// The host's shape where a sink states none: calls of about a millisecond at full load, texts that stay in the cache.
constexpr std::uint32_t kDefaultBatchEvents = 1024;
constexpr std::uint64_t kDefaultBatchBytes = 1UL << 20;

// What a write() may take. It is asked to keep to it, and cannot be made to.
constexpr std::chrono::seconds kWriteTime{30};

// So many calls of write() that failed, without an event delivered or rejected meanwhile, are a sink that is broken.
constexpr std::uint32_t kMostFailures = 10;

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

SinkWorker::SinkWorker(std::unique_ptr<Sink> sink, nfbus_shape shape, FilterChain filters,
                       std::shared_ptr<Subscription> subscription, StateChanged changed)
    : sink_(std::move(sink)),
      shape_(with_defaults(shape)),
      subscription_(std::move(subscription)),
      changed_(std::move(changed)),
      filters_(std::move(filters)),
      on_rejected_([this](std::uint32_t /*index*/, std::string_view reason) {
        if (reason.empty()) return;
        log::repeated(log::Level::warning, log_name(), fmt::format("event rejected: {}", reason));
      }),
      last_tick_(Clock::now()) {
  sink_->set_waker([this] { wake(); });
  filters_.set_waker([this] { subscription_->queue().request_wake(); });
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

void SinkWorker::request_reopen() { subscription_->queue().request_reopen(); }

void SinkWorker::wake() {
  woken_.store(true, std::memory_order_relaxed);
  subscription_->queue().request_wake();
}

void SinkWorker::request_drain(Clock::time_point deadline) {
  deadline_.set_stop(deadline);
  subscription_->queue().request_drain();
}

void SinkWorker::wait_drained(Clock::time_point deadline) {
  std::unique_lock lock(ended_mutex_);
  ended_signal_.wait_until(lock, deadline, [&] { return drained_ || ended_; });
}

void SinkWorker::request_stop(Clock::time_point deadline) {
  deadline_.set_stop(deadline);
  subscription_->queue().request_stop();
}

bool SinkWorker::stopped_by(Clock::time_point deadline) {
  {
    std::unique_lock lock(ended_mutex_);
    if (!ended_signal_.wait_until(lock, deadline, [&] { return ended_; })) return false;
  }
  thread_.join();
  return true;
}

SinkSnapshot SinkWorker::snapshot() const {
  return {.name = sink_->name(),
          .plugin = std::string(plugin()),
          .state = state_.load(std::memory_order_relaxed),
          .events = subscription_->queue().counters(),
          .retries = retries_.load(std::memory_order_relaxed),
          .own = sink_->counters(),
          .filters = filters_.snapshots()};
}

void SinkWorker::run() {
  SubscriberQueue& queue = subscription_->queue();
  for (;;) {
    serve_control();
    tick_when_due();
    if (!failed_ && gather()) {
      deliver();
      if (past_deadline()) break;
    } else if (filters_finished_ && queue.stopping()) {
      break;
    } else if (queue.draining()) {
      finish_filters();  // what they publish may come here: another round
    } else if (failed_) {
      queue.wait_control(next_tick());
    }
  }
  finish_filters();
  if (news_.due() != kNever) say(news_.look(news_.due()));
  if (!failed_) {
    if (const auto flushed = sink_->flush(); !flushed) {
      log::error(fmt::format("sink.{}: flush: {}; what it had taken may be lost", name(), flushed.error().text));
      unflushed_.store(true, std::memory_order_relaxed);
    }
    sink_->close();
    failed_ = true;  // closed: the destructor has nothing left to do
    state_.store(SinkState::stopped, std::memory_order_relaxed);
  }
  const std::lock_guard lock(ended_mutex_);
  ended_ = true;
  ended_signal_.notify_all();
}

bool SinkWorker::serve_control() {
  if (!subscription_->queue().take_control().reopen) return false;
  filters_.reopen();
  if (failed_) return false;
  const auto reopened = sink_->reopen();
  if (!reopened) log::error(fmt::format("sink.{}: reopen: {}", name(), reopened.error().text));
  return reopened.ok();
}

SinkWorker::Clock::time_point SinkWorker::next_sink_tick() const noexcept {
  if (failed_ || !sink_->ticks()) return kNever;
  if (woken_.load(std::memory_order_relaxed)) return Clock::time_point{};
  if (shape_.tick_ms == 0) return kNever;
  return last_tick_ + std::chrono::milliseconds(shape_.tick_ms);
}

SinkWorker::Clock::time_point SinkWorker::next_tick() const noexcept {
  return std::min({next_sink_tick(), filters_finished_ ? kNever : filters_.next_tick(), news_.due()});
}

// The filters of a failed sink go on: they may have something to say of what they dropped before.
void SinkWorker::tick_when_due() {
  const auto now = Clock::now();
  if (now < next_tick()) return;
  say(news_.look(now));
  if (!filters_finished_ && now >= filters_.next_tick()) filters_.tick(now);
  if (now < next_sink_tick()) return;
  woken_.store(false, std::memory_order_relaxed);  // before the tick: what comes meanwhile is another
  last_tick_ = now;
  note_tick(sink_->tick());
}

void SinkWorker::note_tick(const Result<void>& outcome) {
  if (!outcome) {
    ++failed_ticks_;
    log::repeated(log::Level::warning, log_name(), outcome.error().text);
  } else if (const std::uint64_t failed = std::exchange(failed_ticks_, 0); failed != 0) {
    log::repeated(log::Level::info, log_name(), fmt::format("tick() works again, after {} that failed", failed));
  }
}

void SinkWorker::finish_filters() {
  if (!std::exchange(filters_finished_, true)) filters_.finish();
  subscription_->queue().drained();
  const std::lock_guard lock(ended_mutex_);
  drained_ = true;
  ended_signal_.notify_all();
}

// Fills items_ with one call's events; false when there are none.
bool SinkWorker::gather() {
  std::size_t in_hand = 0;
  for (std::size_t i = entry_; i < entries_.size(); ++i) in_hand += entries_[i].size();
  const std::chrono::milliseconds age(shape_.batch_age_ms);
  // Captures bring whole batches, and few add up to a full one: to wait for that would mean to split the last.
  const std::size_t enough = (shape_.batch_events + 1) / 2;
  if (in_hand == 0 || (in_hand < enough && age.count() != 0)) {
    const auto due = in_hand == 0 ? kNever : entries_[entry_].pushed_at + age;
    subscription_->queue().pull(entries_, {.enough = enough - in_hand, .most = shape_.batch_events - in_hand}, age,
                                std::min(due, next_tick()));
  }
  items_bytes_ = 0;
  while (entry_ < entries_.size() && items_.size() < shape_.batch_events) {
    QueueEntry& entry = entries_[entry_];
    if (!items_.empty() && items_.front()->kind != entry.batch->kind()) break;
    // The usual case reads no event.
    if (entry.is_whole() && items_.size() + entry.size() <= shape_.batch_events &&
        items_bytes_ + entry.batch->content_bytes() <= shape_.batch_bytes) {
      for (const Event& event : entry.batch->events()) items_.push_back(&event);
      items_bytes_ += entry.batch->content_bytes();
      entry.begin = entry.end;
    }
    while (entry.size() != 0 && items_.size() < shape_.batch_events) {
      const Event& event = entry[entry.begin];
      const std::size_t size_bytes = event_size_bytes(event);
      if (!items_.empty() && items_bytes_ + size_bytes > shape_.batch_bytes) return true;
      items_.push_back(&event);
      items_bytes_ += size_bytes;
      ++entry.begin;
    }
    if (entry.size() == 0) ++entry_;
  }
  return !items_.empty();
}

void SinkWorker::deliver() {
  SubscriberQueue& queue = subscription_->queue();
  if (!filters_.empty()) {
    const std::size_t dropped = filters_.apply(items_, overlay_);
    if (dropped != 0) {
      queue.settle(0, dropped, 0);
      items_bytes_ = 0;
      for (const nfbus_event* item : items_) items_bytes_ += event_size_bytes(*item);
    }
  }
  write_all();
  if (!items_.empty()) return;  // the deadline passed: they stay queued
  overlay_.clear();
  for (std::size_t i = 0; i < entry_; ++i) queue.release(entries_[i]);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(entry_));
  entry_ = 0;
}

void SinkWorker::write_all() {
  while (!items_.empty()) {
    outcomes_.assign(items_.size(), Outcome::unnamed);
    deadline_.set_call(Clock::now() + kWriteTime);
    const WriteResult result = sink_->write({.items = items_,
                                             .size_bytes = items_bytes_,
                                             .outcomes = outcomes_,
                                             .rejected = on_rejected_,
                                             .deadline = deadline_});
    const bool progress = settle(result);
    if (result.status == WriteResult::Status::fatal) return fail(result.error);
    failures_in_a_row_ = result.status == WriteResult::Status::failed && !progress ? failures_in_a_row_ + 1 : 0;
    if (failures_in_a_row_ == kMostFailures) {
      return fail(fmt::format("{} ({} times in a row, without an event delivered)", result.error, kMostFailures));
    }
    if (items_.empty() && result.status == WriteResult::Status::ok) {
      if (state_.exchange(SinkState::running, std::memory_order_relaxed) == SinkState::retrying) {
        say(news_.worked(Clock::now()));
      }
      return;
    }
    if (past_deadline()) return;
    back_off(result);
  }
}

// Settles what is delivered or rejected, wherever in the batch, and leaves in items_ what comes again, in order.
// Whether any was settled.
bool SinkWorker::settle(const WriteResult& result) {
  const bool rest_is_delivered = result.status == WriteResult::Status::ok;
  std::size_t left = 0;
  std::uint64_t delivered = 0;
  std::uint64_t rejected = 0;
  if (!result.names_events && rest_is_delivered) {
    delivered = items_.size();
  } else {
    items_bytes_ = 0;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const bool is_again = outcomes_[i] == Outcome::again || (outcomes_[i] == Outcome::unnamed && !rest_is_delivered);
      if (is_again) {
        items_bytes_ += event_size_bytes(*items_[i]);
        items_[left++] = items_[i];
      } else if (outcomes_[i] == Outcome::rejected) {
        ++rejected;
      } else {
        ++delivered;
      }
    }
  }
  items_.resize(left);
  if (delivered + rejected == 0) return false;
  subscription_->queue().settle(delivered, 0, rejected);
  attempts_ = 0;
  return true;
}

void SinkWorker::back_off(const WriteResult& result) {
  SubscriberQueue& queue = subscription_->queue();
  retries_.fetch_add(1, std::memory_order_relaxed);
  state_.store(SinkState::retrying, std::memory_order_relaxed);
  trouble_ = result.error.empty() ? "some of its events are to come again" : result.error;
  say(news_.failed(Clock::now()));
  // Jitter keeps the sinks of many hosts from returning to a recovered server all at once.
  thread_local std::minstd_rand random{std::random_device{}()};
  std::chrono::milliseconds delay(result.retry_after_ms);
  if (delay.count() == 0) delay = backoff_delay(++attempts_, random);
  const auto until = Clock::now() + delay;
  while (Clock::now() < until && !queue.draining()) {
    queue.wait_control(std::min(until, next_tick()));
    if (serve_control()) return;
    tick_when_due();
  }
  if (Clock::now() < until) {
    std::this_thread::sleep_until(std::min({until, Clock::now() + kDrainBackoffCap, deadline_.stop()}));
  }
}

void SinkWorker::say(TroubleNews::Say what) {
  switch (what) {
    case TroubleNews::Say::nothing: return;
    case TroubleNews::Say::trouble: {
      const std::uint64_t before = news_.take_troubles() - 1;
      log::warning(fmt::format("{}: {}; its events wait, and it is tried again{}", log_name(), trouble_,
                               before == 0 ? "" : fmt::format(" ({} more such troubles before)", before)));
      tell(SinkState::retrying, trouble_);
      return;
    }
    case TroubleNews::Say::recovery: {
      const auto lasted = std::chrono::duration<double>(Clock::now() - news_.bad_since());
      log::info(fmt::format("{}: delivers again, after {:.1f} s and {} retries", log_name(), lasted.count(),
                            news_.take_retries()));
      tell(SinkState::running, "");
      return;
    }
    case TroubleNews::Say::held_back:
      log::warning(fmt::format("{}: {} more such troubles, with {} retries; it delivers", log_name(),
                               news_.take_troubles(), news_.take_retries()));
      return;
  }
}

void SinkWorker::fail(const std::string& why) {
  SubscriberQueue& queue = subscription_->queue();
  log::error(fmt::format("sink.{}: closed for good: {}", name(), why));
  sink_->close();
  news_ = {};
  failed_ = true;
  state_.store(SinkState::failed, std::memory_order_relaxed);
  tell(SinkState::failed, why);
  queue.fail();
  std::uint64_t in_hand = items_.size();
  for (std::size_t i = entry_; i < entries_.size(); ++i) in_hand += entries_[i].size();
  queue.settle(0, 0, in_hand);
  items_.clear();
  for (const QueueEntry& entry : entries_) queue.release(entry);
  entries_.clear();
  entry_ = 0;
}

void SinkWorker::tell(SinkState state, std::string_view why) const {
  if (changed_) changed_(*this, state, why);
}

bool SinkWorker::past_deadline() const noexcept { return Clock::now() >= deadline_.stop(); }

}  // namespace nfbus::host
