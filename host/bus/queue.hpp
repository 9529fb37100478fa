// A subscriber's queue: the one place where events wait, are bounded, and are counted for their sink.
#pragma once

#include "bus/overflow.hpp"
#include "event/batch.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <vector>

namespace nfbus::host {

struct QueueLimits {
  std::size_t events;
  std::size_t bytes;  // of slabs and texts that waiting events pin; one batch is always let in
  Overflow overflow;
};

// How many events a call of pull() is for.
struct PullSize {
  std::size_t enough;  // with so many, it waits for no more
  std::size_t most;    // the last entry may bring more only where there would not be enough without it
};

// The events of one batch that a subscriber wants.
struct QueueEntry {
  BatchRef batch;
  std::vector<std::uint32_t> wanted;  // indices into the batch; empty: all of it
  std::size_t begin = 0;              // the first that was not consumed, of wanted or of the batch
  std::size_t end = 0;
  std::size_t slab_bytes = 0;  // what this entry counts for in the queue's bytes: slabs,
  std::size_t text_bytes = 0;  // and rendered texts
  std::chrono::steady_clock::time_point pushed_at;

  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
  // Nothing of the batch is left out or consumed.
  [[nodiscard]] bool is_whole() const noexcept { return wanted.empty() && size() == batch->events().size(); }
  [[nodiscard]] std::size_t charged_bytes() const noexcept { return slab_bytes + text_bytes; }
  [[nodiscard]] const Event& operator[](std::size_t i) const noexcept {
    return batch->events()[wanted.empty() ? i : wanted[i]];
  }
};

// What became of a subscriber's events. At any moment:
//   published = delivered + filtered + overflowed + rejected + queued
struct QueueCounters {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  std::uint64_t overflowed = 0;
  std::uint64_t rejected = 0;
  std::uint64_t queued = 0;  // waiting, in a call or in backoff
};

// Thread safety: push() from any thread; pull(), settle(), wait_control() from the one worker; the rest from any
// thread. Nobody holds the lock while a plugin runs or a text is rendered.
class SubscriberQueue {
 public:
  using Clock = std::chrono::steady_clock;

  // What woke the worker, besides events.
  struct Control {
    bool stop = false;
    bool drain = false;
    bool reopen = false;
    bool tick = false;
  };

  explicit SubscriberQueue(QueueLimits limits);

  // Takes the wanted events of a frozen batch (`wanted` empty: all of them). Never waits: a full queue applies its
  // overflow policy and counts.
  void push(const BatchRef& batch, std::vector<std::uint32_t> wanted = {});
  // Waits for room first, in pieces if the batch is larger than the queue: an empty queue takes anything. For a replay,
  // which must not lose what it could read later: nothing of it is ever dropped. From its first call on, push() finds
  // as much room again beside what was waited for, and drops the newest, which is its own.
  void push_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted = {});

  // Moves entries to the end of `out`. Waits until enough events are there, or the oldest has waited for `age`, or the
  // queue is full (also with what was pulled before: then nothing may come), or `deadline` passes, or control() has
  // something new.
  void pull(std::vector<QueueEntry>& out, PullSize size, std::chrono::milliseconds age, Clock::time_point deadline);
  // Waits until `deadline` or until control() has something new; events do not wake it. For backoff.
  void wait_control(Clock::time_point deadline);
  // The worker is through with this many pulled events.
  void settle(std::uint64_t delivered, std::uint64_t filtered, std::uint64_t rejected);
  // A pulled entry was given up: its batch may go.
  void release(const QueueEntry& entry);

  // push_when_room() waits no more from now on, and goes beyond the limits: the host stops, nobody may wait for a sink
  // any more, and what is still to come is the little that was read already.
  void end_waiting();

  // Passes a full queue: the worker sees it at its next pull() or wait_control(). Requests are never taken back, but
  // take_control() clears `reopen` and `tick`, and drained() clears `drain`. While one of stop and drain is there,
  // pull() does not wait.
  void request_stop();
  void request_drain();
  void request_reopen();
  void request_tick();
  [[nodiscard]] Control take_control();
  void drained();
  [[nodiscard]] bool stopping() const;
  [[nodiscard]] bool draining() const;  // also while stopping

  // The subscriber is gone for good: what waits and whatever comes counts as rejected.
  void fail();

  [[nodiscard]] QueueCounters counters() const;
  [[nodiscard]] std::size_t pinned_bytes() const;

 private:
  // An entry on its way in.
  struct Arrival {
    QueueEntry entry;
    const Slab* slab;          // the last that it pins
    std::size_t wanted_bytes;  // of what it pins
  };

  // What pins too much is copied out.
  [[nodiscard]] static Arrival arrival_of(const BatchRef& batch, std::vector<std::uint32_t> wanted);
  void push_piece_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted);
  [[nodiscard]] bool refuse_if_failed(const Arrival& fresh);
  // Sets what the entry counts for as things stand: what fits() judges is what append_and_wake() adds.
  void charge(Arrival& fresh);
  [[nodiscard]] bool fits(const QueueEntry& fresh) const noexcept;
  void append_and_wake(std::unique_lock<std::mutex> lock, Arrival fresh);
  void expect_no_wake() noexcept;  // nobody waits for events, or has been told of them
  void make_room(QueueEntry& fresh);
  QueueEntry pop_oldest();
  static void pass_charge_on(QueueEntry& gone, QueueEntry& next);
  void drop_oldest_events(std::size_t events);
  std::size_t slab_charge(const Batch& batch) const;
  void refresh_text_charges();
  [[nodiscard]] std::size_t total_bytes() const noexcept { return waiting_bytes_ + pulled_bytes_; }
  [[nodiscard]] std::size_t total_events() const noexcept { return waiting_events_ + pulled_events_; }
  void compact_slab_run();
  void forget_slab_run() noexcept;

  const QueueLimits limits_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable work_;  // the worker waits here
  std::condition_variable room_;  // push_when_room() waits here
  std::deque<QueueEntry> entries_;
  std::size_t waiting_events_ = 0;  // in entries_
  std::size_t pulled_events_ = 0;   // with the worker
  std::size_t waiting_bytes_ = 0;
  std::size_t pulled_bytes_ = 0;
  const Slab* last_slab_ = nullptr;   // the slab that the newest entries pin and that is charged once
  std::size_t run_entries_ = 0;       // newest entries that pin last_slab_ alone
  std::size_t run_wanted_bytes_ = 0;  // of what they want of it
  QueueCounters counters_;
  Control control_;
  bool full_ = false;  // since the last pull() something was dropped, or waits for room
  bool failed_ = false;
  bool waited_for_ = false;  // there were calls of push_when_room()
  bool never_wait_ = false;
  bool under_load_ = false;      // the last pull() brought all that it asked for
  bool wakes_at_first_ = false;  // the worker that waits wants to know of the first event
  std::size_t wake_at_events_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace nfbus::host
