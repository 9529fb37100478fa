// A subscriber's queue in memory: where its events wait, are bounded, and are counted.
#pragma once

#include "bus/event_queue.hpp"
#include "bus/overflow.hpp"
#include "bus/spilling.hpp"
#include "support/mutex.hpp"

#include <cstddef>
#include <functional>
#include <limits>
#include <list>
#include <vector>

namespace nfbus::host {

struct QueueLimits {
  std::size_t events;
  std::size_t bytes;  // of slabs and texts that events pin, also those of the worker; one batch is always let in
  Overflow overflow;
};

// With overflow = spill a disk queue may stand behind it (spilling.hpp), which holds what is older than all that waits
// here. Thread safety: as EventQueue says; push(), push_when_room() and end_waiting() from any thread.
class MemoryQueue final : public EventQueue, public Spilling {
 public:
  using Clock = EventQueue::Clock;

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

  // Of Spilling.
  void begin_spilling(std::uint64_t recovered, std::uint64_t first_record, bool always,
                      std::function<void()> wake_spiller) override;
  [[nodiscard]] Pulled pull_or_spilled(std::vector<const QueueEntry*>& out, PullSize size,
                                       std::chrono::milliseconds age, Clock::time_point deadline) override;
  [[nodiscard]] const QueueEntry* lease_spilled(QueueEntry entry) override;
  void count_corrupted(std::uint64_t events) override;
  [[nodiscard]] bool settle_and_tell(const Settled& settled, SpillProgress& told) override;
  [[nodiscard]] SpillProgress spill_progress() const override;
  void end_lease() override;
  [[nodiscard]] Next next_to_spill(std::vector<QueueEntry>& out, Amount amount) override;
  void lent_are_spilled(const std::vector<QueueEntry>& copies, std::uint64_t first_record) override;
  void lent_are_back() override;
  void spilled(std::uint64_t events, std::uint64_t evicted, std::vector<QueueEntry> rest) override;
  void evicted(std::uint64_t events) override;

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
    return waiting_bytes_ + leased_bytes_ + spilling_bytes_;
  }
  void compact_slab_run() NFBUS_REQUIRES(mutex_);
  void forget_slab_run() noexcept NFBUS_REQUIRES(mutex_);
  void release_begun(Entries& gone) NFBUS_REQUIRES(mutex_);
  void take_back_leased() NFBUS_REQUIRES(mutex_);
  void wait_for_lent(MutexLock& lock) NFBUS_REQUIRES(mutex_);
  [[nodiscard]] SpillProgress progress() const NFBUS_REQUIRES(mutex_);
  void begin_lending(std::vector<QueueEntry>& out) NFBUS_REQUIRES(mutex_);
  void wait_again(std::vector<QueueEntry> entries) NFBUS_REQUIRES(mutex_);
  void begin_taking(std::vector<QueueEntry>& out) NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool has_to_spill(Amount amount) noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool is_beyond(std::size_t quarters) const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool wants_spilling() noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t available() const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] Clock::time_point available_since() const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool is_on_its_way_to_disk() const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool holds_records() const noexcept NFBUS_REQUIRES(mutex_);
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
  bool lease_over_ NFBUS_GUARDED_BY(mutex_) = false;     // leased_ is but memory that the worker may still read
  std::uint64_t released_ NFBUS_GUARDED_BY(mutex_) = 0;  // entries that were leased before the first of leased_

  // With a disk queue behind this one.
  bool spills_ NFBUS_GUARDED_BY(mutex_) = false;
  bool spills_always_ NFBUS_GUARDED_BY(mutex_) = false;
  bool spill_fails_ NFBUS_GUARDED_BY(mutex_) = false;  // the last try did: limits are kept by dropping
  bool spills_down_ NFBUS_GUARDED_BY(mutex_) = false;  // the limits were exceeded, and there is no room again yet
  bool lent_ NFBUS_GUARDED_BY(mutex_) = false;         // copies of leased entries are being written
  std::uint64_t first_lent_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::uint64_t records_end_ NFBUS_GUARDED_BY(mutex_) = 0;  // behind the last record that the worker was given
  std::size_t spilling_bytes_ NFBUS_GUARDED_BY(mutex_) = 0;
  Clock::time_point spilled_since_ NFBUS_GUARDED_BY(mutex_);  // the disk was empty before
  std::function<void()> wake_spiller_;                        // set once, before events come from other threads
  bool spiller_woken_ NFBUS_GUARDED_BY(mutex_) = false;

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
