// One sink's delivery: a thread that takes events from its queue, runs its filters and calls the plugin.
#pragma once

#include "bus/bus.hpp"
#include "delivery/dead_letters.hpp"
#include "delivery/failure_news.hpp"
#include "delivery/filter_chain.hpp"
#include "delivery/mailbox.hpp"
#include "delivery/overlay.hpp"
#include "delivery/sink.hpp"
#include "support/mutex.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace nfbus::host {

enum class SinkState : std::uint8_t {
  running = 1,
  retrying,  // the sink asked for a retry; its events wait in backoff
  failed,    // closed after a fatal error; everything counts as rejected
  stopped,
};
[[nodiscard]] std::string_view to_string(SinkState state) noexcept;

struct SinkHealth {
  SinkState state = SinkState::running;
  std::int64_t since_ns = 0;  // since 1970-01-01 UTC: when that began
  std::string last_error;     // what the sink said last when a call failed; empty: none has
};

struct SpillSnapshot {
  std::uint64_t size_bytes = 0;           // on disk
  std::chrono::nanoseconds oldest_age{};  // how long the oldest event on disk waits
};

// What is to be told of one sink; design section 5 names the numbers.
struct SinkSnapshot {
  std::string name;
  std::string plugin;
  std::string target;  // its first output; empty: none that the host knows of
  SinkHealth health;
  QueueLimits limits;
  QueueCounters events;
  std::uint64_t retries;
  std::uint64_t dead_letters;  // rejected events that were written to a file
  SpillSnapshot spill;         // of its disk queue
  OwnCounters own;
  std::optional<RunningCall> call;  // that its thread is in: of the sink, or of one of its filters
  std::vector<FilterSnapshot> filters;
};

// Owns the sink instance, its filters and its thread. Created and destroyed [control]; request_*() and snapshot() from
// any thread.
class SinkWorker {
 public:
  using Clock = std::chrono::steady_clock;

  // Told of the sink's state on the worker's thread: as FailureNews says it, and when it has failed.
  using StateChanged = std::function<void(const SinkWorker& worker, SinkState state, std::string_view why)>;

  // Beside the sink.
  struct Parts {
    FilterChain filters;
    std::shared_ptr<Subscription> subscription;
    EventQueue* queue = nullptr;                          // outlives the worker; null: the subscription's
    std::unique_ptr<DeadLetters> dead_letters = nullptr;  // null: what is rejected is but counted
    StateChanged changed = {};                            // may be empty
  };

  // sink: opened, with the shape that it asked for.
  SinkWorker(std::unique_ptr<Sink> sink, nfbus_shape shape, Parts parts);
  SinkWorker(const SinkWorker&) = delete;
  SinkWorker& operator=(const SinkWorker&) = delete;
  // Requests a stop and waits without bound: see to stopped_by() first.
  ~SinkWorker();

  void start();
  void request_reopen();
  // Has the sink ticked at once, also while it waits or is in backoff; several before it comes to it are one.
  void wake();
  // Returns whether it may publish something at its end, for which others are to be there.
  [[nodiscard]] bool has_last_words() const noexcept { return filters_.finishes() || sink_->flushes(); }
  // Delivers what waits, then finishes the filters, delivers what these published and flushes the sink; what is
  // published then can still be delivered, until request_stop(). No retry is begun past the deadline.
  void request_drain(Clock::time_point deadline);
  // [control] Waits until that is done, at most until `deadline`.
  void wait_drained(Clock::time_point deadline);
  // Delivers what waits, closes the sink and ends; no retry is begun past the deadline.
  void request_stop(Clock::time_point deadline);
  // [control] False when the thread has not ended by `deadline`, which should be later than that of request_stop() by
  // what a last call may take. It is inside the plugin then: it can never be ended then, and the process must end
  // without destroying this object.
  [[nodiscard]] bool stopped_by(Clock::time_point deadline);

  // Without the target, the limits and the disk queue, which the worker does not know.
  [[nodiscard]] SinkSnapshot snapshot() const;
  [[nodiscard]] SinkHealth health() const;
  // [any] Returns whether its last flush has failed: it may have lost what it had taken.
  [[nodiscard]] bool unflushed() const noexcept { return unflushed_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::string& name() const noexcept { return sink_->name(); }
  [[nodiscard]] std::string_view plugin() const noexcept { return sink_->plugin_name(); }
  [[nodiscard]] const std::shared_ptr<Subscription>& subscription() const noexcept { return subscription_; }
  [[nodiscard]] const FilterChain& filters() const noexcept { return filters_; }

 private:
  [[nodiscard]] std::string log_name() const { return "sink." + name(); }
  void run();
  bool serve_control();  // whether the sink was reopened
  void tick_when_due();
  void tick_sink();
  void finish_filters();
  void flush_sink();
  void note_drained();
  [[nodiscard]] Clock::time_point next_sink_tick() const noexcept;
  [[nodiscard]] Clock::time_point next_tick() const noexcept;
  bool gather();
  void pull_more(std::size_t in_hand);
  void settle(std::uint64_t delivered, std::uint64_t filtered, std::uint64_t rejected);
  void let_go();
  void deliver();
  void write_all();
  void bury(std::size_t index);
  bool settle_named(const WriteResult& result);  // whether anything was settled
  void count_failures(WriteResult& result, bool progress);
  [[nodiscard]] Clock::duration delay_before_retry(const WriteResult& result);
  void back_off(const WriteResult& result);
  void say(FailureNews::Say what);
  void note_tick(const Result<void>& outcome);
  void fail(const std::string& why);
  void tell(SinkState state, std::string_view why) const;
  void set_state(SinkState state);
  void note_error(std::string_view error);
  [[nodiscard]] bool past_deadline() const noexcept;

  // Constant after construction.
  const std::unique_ptr<Sink> sink_;
  const nfbus_shape shape_;
  const std::shared_ptr<Subscription> subscription_;
  EventQueue& queue_;
  Mailbox mailbox_;
  const StateChanged changed_;
  const std::unique_ptr<DeadLetters> dead_letters_;  // the worker's, but for its counter

  // Owned by the worker thread.
  FilterChain filters_;
  Overlay overlay_;
  std::vector<const QueueEntry*> entries_;  // leased from the queue, oldest first
  std::size_t entry_ = 0;                   // the first of them that still has events
  std::size_t entry_begun_ = 0;             // of this one, so many are in items_ or settled
  std::size_t begun_ = 0;                   // events that came into items_ since some were last settled
  std::vector<const nfbus_event*> items_;   // one call's events; what is delivered or rejected leaves it
  std::uint64_t items_bytes_ = 0;
  std::vector<Outcome> outcomes_;  // one an item of the current call; all unnamed between calls
  const std::function<void(std::uint32_t index, std::string_view reason)> say_reason_;
  std::vector<std::pair<std::uint32_t, std::string>> reasons_;  // of this call's rejected events, for the dead letters
  std::uint32_t attempts_ = 0;                                  // of the current events, without progress
  std::uint32_t failures_ = 0;                                  // of them, calls that failed, one after the other
  FailureNews news_;
  std::string last_failure_;        // what the sink said when it last asked for a retry
  std::uint64_t failed_ticks_ = 0;  // since one worked
  Clock::time_point last_tick_;
  bool retrying_ = false;
  bool failed_ = false;
  bool filters_finished_ = false;
  bool is_flushed_ = false;  // nothing was written since

  // Any thread.
  mutable Mutex health_mutex_;
  SinkHealth health_ NFBUS_GUARDED_BY(health_mutex_);
  std::atomic<std::uint64_t> retries_{0};
  std::atomic<bool> unflushed_{false};
  std::atomic<bool> woken_{false};  // the sink asked for a tick that did not come yet
  WriteDeadline deadline_;
  Mutex ended_mutex_;
  Condition ended_signal_;
  bool drained_ NFBUS_GUARDED_BY(ended_mutex_) = false;
  bool ended_ NFBUS_GUARDED_BY(ended_mutex_) = false;

  std::thread thread_;
};

}  // namespace nfbus::host
