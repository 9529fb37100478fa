// Counts what becomes of a subscriber's events.
#pragma once

#include <cstdint>
#include <utility>

namespace nfbus::host {

// Counts what became of a subscriber's events. At any moment:
//   published + recovered = delivered + filtered + overflowed + rejected + corrupted + queued + spilled
struct QueueCounters {
  std::uint64_t published = 0;
  std::uint64_t recovered = 0;  // found on disk at the start
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  std::uint64_t overflowed = 0;
  std::uint64_t rejected = 0;
  std::uint64_t corrupted = 0;  // could not be read from disk again
  std::uint64_t queued = 0;     // waiting in memory, in a call or in backoff
  std::uint64_t spilled = 0;    // waiting on disk
};

// Events on their way through a queue. Each call moves some from one number to another, so that no sequence of calls
// breaks the sum. Thread safety: none; whoever owns it has a lock.
class QueueAccount {
 public:
  // They come, and wait.
  void publish(std::uint64_t events) noexcept {
    counters_.published += events;
    waiting_ += events;
  }
  // They come, and are refused.
  void refuse(std::uint64_t events) noexcept {
    counters_.published += events;
    counters_.rejected += events;
  }
  // They were on disk before the start.
  void recover(std::uint64_t events) noexcept {
    counters_.recovered += events;
    counters_.spilled += events;
  }
  // Of those that wait.
  void overflow(std::uint64_t events) noexcept {
    waiting_ -= events;
    counters_.overflowed += events;
  }
  void reject_waiting() noexcept { counters_.rejected += std::exchange(waiting_, 0); }
  // The worker gets them.
  void lease(std::uint64_t events) noexcept {
    waiting_ -= events;
    leased_ += events;
  }
  void lease_spilled(std::uint64_t events) noexcept {
    counters_.spilled -= events;
    leased_ += events;
  }
  // They wait again, so many of them on disk.
  void take_back(std::uint64_t on_disk) noexcept {
    counters_.spilled += on_disk;
    waiting_ += std::exchange(leased_, 0) - on_disk;
  }
  // Of those that the worker has.
  void settle(std::uint64_t delivered, std::uint64_t filtered, std::uint64_t rejected) noexcept {
    leased_ -= delivered + filtered + rejected;
    counters_.delivered += delivered;
    counters_.filtered += filtered;
    counters_.rejected += rejected;
  }
  // Of those that wait: they are about to be written to disk,
  void begin_spilling(std::uint64_t events) noexcept {
    waiting_ -= events;
    spilling_ += events;
  }
  // and are on it, or wait again.
  void spill(std::uint64_t events) noexcept {
    spilling_ -= events;
    counters_.spilled += events;
  }
  void give_back() noexcept { waiting_ += std::exchange(spilling_, 0); }
  // Of those on disk: they had to go for newer ones, or cannot be read.
  void evict(std::uint64_t events) noexcept {
    counters_.spilled -= events;
    counters_.overflowed += events;
  }
  void corrupt(std::uint64_t events) noexcept {
    counters_.spilled -= events;
    counters_.corrupted += events;
  }

  [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::uint64_t leased() const noexcept { return leased_; }
  [[nodiscard]] std::uint64_t spilling() const noexcept { return spilling_; }
  [[nodiscard]] std::uint64_t spilled() const noexcept { return counters_.spilled; }
  [[nodiscard]] std::uint64_t overflowed() const noexcept { return counters_.overflowed; }
  [[nodiscard]] std::uint64_t queued() const noexcept { return waiting_ + leased_ + spilling_; }
  [[nodiscard]] QueueCounters counters() const noexcept {
    QueueCounters counters = counters_;
    counters.queued = queued();
    return counters;
  }

 private:
  QueueCounters counters_;  // `queued` stays 0 here
  std::uint64_t waiting_ = 0;
  std::uint64_t leased_ = 0;
  std::uint64_t spilling_ = 0;
};

}  // namespace nfbus::host
