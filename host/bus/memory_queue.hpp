// A subscriber's queue in memory: where its events wait, are bounded, and are counted.
#pragma once

#include "bus/event_queue.hpp"
#include "bus/overflow.hpp"
#include "support/mutex.hpp"

#include <cstddef>
#include <limits>
#include <list>
#include <vector>

namespace nfbus::host {

struct QueueLimits {
  std::size_t events;
  std::size_t bytes;  // of slabs and texts that events pin, also those of the worker; one batch is always let in
  Overflow overflow;
};

// Thread safety: as EventQueue says; push(), push_when_room() and end_waiting() from any thread.
class MemoryQueue final : public EventQueue {
 public:
  explicit MemoryQueue(QueueLimits limits);

  // Takes the wanted events of a frozen batch (`wanted` empty: all of them). Never waits: a full queue applies its
  // overflow policy and counts.
  void push(const BatchRef& batch, std::vector<std::uint32_t> wanted = {});
  // Waits for room first, in pieces if the batch is larger than the queue: an empty queue takes anything. For a replay,
  // which must not lose what it could read later: nothing of it is ever dropped. From its first call on, push() finds
  // as much room again beside what was waited for, and drops the newest, which is its own.
  void push_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted = {});
  // push_when_room() waits no more from now on, and goes beyond the limits: the host stops, nobody may wait for a sink
  // any more, and what is still to come is the little that was read already.
  void end_waiting();

  bool pull(std::vector<const QueueEntry*>& out, PullSize size, std::chrono::milliseconds age,
            Clock::time_point deadline) override;
  bool settle(const Settled& settled) override;
  void let_go() override;
  void interrupt() override;
  void fail() override;
  [[nodiscard]] QueueCounters counters() const override;
  // [any] Returns whether it holds as much as it may.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] std::size_t pinned_bytes() const;

 private:
  // Lists, since entries stay where they are while they pass from one to the next, and none is made for it.
  using Entries = std::list<QueueEntry>;

  // An entry on its way in.
  struct Arrival {
    QueueEntry entry;
    const Slab* slab;          // the last that it pins
    std::size_t wanted_bytes;  // of what it pins
  };

  // Copies out what pins too much.
  [[nodiscard]] static Arrival arrival_of(const BatchRef& batch, std::vector<std::uint32_t> wanted);
  void push_piece_when_room(const BatchRef& batch, std::vector<std::uint32_t> wanted);
  [[nodiscard]] bool refuse_if_failed(const Arrival& fresh) NFBUS_REQUIRES(mutex_);
  // Sets what the entry counts for as things stand: what fits() judges is what append() adds.
  void charge(Arrival& fresh) NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool fits(const QueueEntry& fresh) const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool append(Arrival fresh) NFBUS_REQUIRES(mutex_);  // whether the worker is to be woken
  void expect_no_wake() noexcept NFBUS_REQUIRES(mutex_);            // nobody waits for events, or has been told of them
  void make_room(QueueEntry& fresh) NFBUS_REQUIRES(mutex_);
  void take_oldest(Entries& to) NFBUS_REQUIRES(mutex_);  // moves it; the caller counts its events
  static void pass_charge_on(QueueEntry& gone, QueueEntry& next);
  void drop_oldest_events(std::size_t events) NFBUS_REQUIRES(mutex_);
  [[nodiscard]] std::size_t slab_charge(const Batch& batch) const NFBUS_REQUIRES(mutex_);
  void refresh_text_charges() NFBUS_REQUIRES(mutex_);
  [[nodiscard]] std::size_t total_bytes() const noexcept NFBUS_REQUIRES(mutex_) {
    return waiting_bytes_ + leased_bytes_;
  }
  void compact_slab_run() NFBUS_REQUIRES(mutex_);
  void forget_slab_run() noexcept NFBUS_REQUIRES(mutex_);
  void release_begun(Entries& gone) NFBUS_REQUIRES(mutex_);
  void take_back_leased() NFBUS_REQUIRES(mutex_);
  static void keep_for_reuse(Entries& gone, Entries& to) noexcept;

  const QueueLimits limits_;
  mutable Mutex mutex_;
  Condition work_;  // the worker waits here
  Condition room_;  // push_when_room() waits here

  QueueAccount account_ NFBUS_GUARDED_BY(mutex_);
  Entries waiting_ NFBUS_GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ NFBUS_GUARDED_BY(mutex_) = 0;

  // The worker's, in the order in which they were pulled. All events before the first `begun_` are settled, but for
  // those in `left_`.
  Entries leased_ NFBUS_GUARDED_BY(mutex_);
  std::size_t leased_bytes_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::size_t begun_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::vector<const Event*> left_ NFBUS_GUARDED_BY(mutex_);
  bool lease_over_ NFBUS_GUARDED_BY(mutex_) = false;  // leased_ is but memory that the worker may still read

  // The newest entries that wait and pin one slab alone: it is charged once.
  const Slab* run_slab_ NFBUS_GUARDED_BY(mutex_) = nullptr;
  std::size_t run_entries_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::size_t run_wanted_bytes_ NFBUS_GUARDED_BY(mutex_) = 0;  // of what they want of it

  bool full_ NFBUS_GUARDED_BY(mutex_) = false;  // since the last pull() something was dropped, or waits for room
  bool failed_ NFBUS_GUARDED_BY(mutex_) = false;
  bool waited_for_ NFBUS_GUARDED_BY(mutex_) = false;  // there were calls of push_when_room()
  bool never_wait_ NFBUS_GUARDED_BY(mutex_) = false;
  bool interrupted_ NFBUS_GUARDED_BY(mutex_) = false;     // since the last pull()
  bool under_load_ NFBUS_GUARDED_BY(mutex_) = false;      // the last pull() brought all that it asked for
  bool wakes_at_first_ NFBUS_GUARDED_BY(mutex_) = false;  // the worker that waits wants to know of the first event
  std::size_t wake_at_events_ NFBUS_GUARDED_BY(mutex_) = std::numeric_limits<std::size_t>::max();
  Entries free_ NFBUS_GUARDED_BY(mutex_);  // empty ones, to be used again

  // Owned by the worker.
  Entries spare_;  // on their way to free_
};

}  // namespace nfbus::host
