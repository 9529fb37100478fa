// What a disk queue asks of the queue in memory that it stands behind: delivery/spill_queue.hpp.
#pragma once

#include "bus/event_queue.hpp"
#include "support/record_range.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace nfbus::host {

// How far the worker is with the records that it holds.
struct SpillProgress {
  bool is_known = false;          // else the lease is over
  bool holds_records = false;     // or did before this
  std::uint64_t frontier = 0;     // the first record that it has not settled; 0: it has settled all that it was given
  std::vector<RecordRange> done;  // behind the frontier, ascending
};

// The oldest events go to disk, so that order is kept: what the worker holds is older than what is on disk, and that
// is older than all that waits in memory. While events are on their way to disk the worker gets none from memory. All
// is counted under the queue's one lock. Thread safety: [worker] the queue's worker, [spiller] the one thread that
// writes to disk, [any].
class Spilling {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Pulled : std::uint8_t {
    taken = 1,  // what there was, perhaps nothing
    spilled,    // the next events are on disk; nothing was added
    over,       // the lease is over; let_go() is due
  };
  enum class Next : std::uint8_t {
    nothing = 1,
    lent,   // copies of what the worker holds, which must be written first
    taken,  // what waited
  };
  enum class Amount : std::uint8_t {
    excess = 1,  // what the limits do not allow, and some more, so that it is done rarely
    all,
  };

  Spilling() = default;
  Spilling(const Spilling&) = delete;
  Spilling& operator=(const Spilling&) = delete;
  virtual ~Spilling() = default;

  // [control] From now on there is a disk, with so many events on it, the first of which has that number. always: the
  // worker gets events from disk only. wake_spiller: called on any thread, without the lock, when there is something to
  // write.
  virtual void begin_spilling(std::uint64_t recovered, std::uint64_t first_record, bool always,
                              std::function<void()> wake_spiller) = 0;

  // [worker] As EventQueue::pull(). What is on disk counts for the wait.
  [[nodiscard]] virtual Pulled pull_or_spilled(std::vector<const QueueEntry*>& out, PullSize size,
                                               std::chrono::milliseconds age, Clock::time_point deadline) = 0;
  // [worker] Events that were read from disk, with their numbers, become the worker's. Null: the lease is over.
  [[nodiscard]] virtual const QueueEntry* lease_spilled(QueueEntry entry) = 0;
  // [worker] Events on disk that cannot be read.
  virtual void count_corrupted(std::uint64_t events) = 0;
  // [worker] As EventQueue::settle(), and says what that means for the records that it holds.
  [[nodiscard]] virtual bool settle_and_tell(const Settled& settled, SpillProgress& told) = 0;
  // [any]
  [[nodiscard]] virtual SpillProgress spill_progress() const = 0;
  // [control] Takes back what the worker holds, whether it is in a call or gone: what has a record is on disk again,
  // the rest waits. The memory stays until it lets go.
  virtual void end_lease() = 0;

  // [spiller] The next entries to be written, of about a MiB, into an empty `out`. Each answer but `nothing` wants one
  // of the calls below before the next.
  [[nodiscard]] virtual Next next_to_spill(std::vector<QueueEntry>& out, Amount amount) = 0;
  // [spiller] What was lent has records now, numbered in their order from this one on; until then the lease cannot end.
  virtual void lent_are_spilled(const std::vector<QueueEntry>& copies, std::uint64_t first_record) = 0;
  virtual void lent_are_back() = 0;  // it could not be written
  // [spiller] Of what was taken, so many events are on disk; so many older ones that nobody had read had to go for
  // them. The rest could not be written: it waits again as far as the limits allow, which drop the oldest from now on.
  virtual void spilled(std::uint64_t events, std::uint64_t evicted, std::vector<QueueEntry> rest) = 0;
  // [spiller] Events on disk had to go.
  virtual void evicted(std::uint64_t events) = 0;
};

}  // namespace nfbus::host
