// The end of a queue that a worker pulls from, whether events wait in memory or elsewhere before it.
#pragma once

#include "bus/queue_account.hpp"
#include "event/batch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nfbus::host {

// How many events a call of pull() is for.
struct PullSize {
  std::size_t enough;  // with so many, it waits for no more
  std::size_t most;    // the last entry may bring more only where there would not be enough without it
};

// The events of one batch that a subscriber wants.
struct QueueEntry {
  BatchRef batch;
  std::vector<std::uint32_t> wanted;  // indices into the batch; empty: all of it
  std::size_t begin = 0;              // the first that is here, of wanted or of the batch
  std::size_t end = 0;
  std::size_t slab_bytes = 0;  // what this entry counts for in the queue's bytes: slabs,
  std::size_t text_bytes = 0;  // and rendered texts
  std::chrono::steady_clock::time_point pushed_at;
  std::uint64_t first_record = 0;  // the number on disk of (*this)[0], and so on; 0: it is in memory alone

  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
  // Nothing of the batch is left out.
  [[nodiscard]] bool is_whole() const noexcept { return wanted.empty() && size() == batch->events().size(); }
  [[nodiscard]] std::size_t charged_bytes() const noexcept { return slab_bytes + text_bytes; }
  [[nodiscard]] const Event& operator[](std::size_t i) const noexcept {
    return batch->events()[wanted.empty() ? i : wanted[i]];
  }
};

// Tells what the worker has done with events that it holds.
struct Settled {
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  std::uint64_t rejected = 0;
  // Events that the worker has begun since it last settled any: the next ones, in the order in which they were pulled.
  std::size_t begun = 0;
  // Of all that it has begun, those that it has not settled; stand-ins count as their origins.
  std::span<const nfbus_event* const> left = {};
};

// Leases what is pulled: the queue keeps it, unchanged, until the worker has settled it or let it go, so that others
// can reach what a call that hangs holds. Thread safety: pull(), settle() and let_go() from the one worker; the rest
// from any thread. Nobody holds a lock while a plugin runs or a text is rendered.
class EventQueue {
 public:
  using Clock = std::chrono::steady_clock;

  EventQueue() = default;
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;
  virtual ~EventQueue() = default;

  // Adds the next entries to the end of `out`. Waits until enough events are there, or the oldest has waited for `age`,
  // or the queue is full (also with what was pulled before: then nothing may come), or `deadline` passes, or
  // interrupt() was called since the last pull(). An entry is valid until its last event is settled, or until let_go().
  // False: the lease is over, and nothing was added; let_go() is due.
  virtual bool pull(std::vector<const QueueEntry*>& out, PullSize size, std::chrono::milliseconds age,
                    Clock::time_point deadline) = 0;
  // False: the lease is over, and nothing was counted; let_go() is due.
  virtual bool settle(const Settled& settled) = 0;
  // The worker holds nothing any more. What it has not settled waits again, before all else.
  virtual void let_go() = 0;

  // Has pull() return, now or the next time.
  virtual void interrupt() = 0;
  // The subscriber is gone for good: what it holds, what waits and whatever comes counts as rejected. Ends the lease;
  // the memory of what the worker holds stays until it lets go, since a call may still read it.
  virtual void fail() = 0;

  [[nodiscard]] virtual QueueCounters counters() const = 0;
};

}  // namespace nfbus::host
