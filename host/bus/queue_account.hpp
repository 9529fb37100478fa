// Counts what becomes of a subscriber's events.
#pragma once

#include <cstdint>
#include <utility>

namespace nfbus::host {

// Counts what became of a subscriber's events. At any moment:
//   published = delivered + filtered + overflowed + rejected + queued
struct QueueCounters {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  std::uint64_t overflowed = 0;
  std::uint64_t rejected = 0;
  std::uint64_t queued = 0;  // waiting, in a call or in backoff
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
  // They wait again.
  void take_back() noexcept { waiting_ += std::exchange(leased_, 0); }
  // Of those that the worker has.
  void settle(std::uint64_t delivered, std::uint64_t filtered, std::uint64_t rejected) noexcept {
    leased_ -= delivered + filtered + rejected;
    counters_.delivered += delivered;
    counters_.filtered += filtered;
    counters_.rejected += rejected;
  }

  [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::uint64_t leased() const noexcept { return leased_; }
  [[nodiscard]] std::uint64_t overflowed() const noexcept { return counters_.overflowed; }
  [[nodiscard]] std::uint64_t queued() const noexcept { return waiting_ + leased_; }
  [[nodiscard]] QueueCounters counters() const noexcept {
    QueueCounters counters = counters_;
    counters.queued = queued();
    return counters;
  }

 private:
  QueueCounters counters_;  // `queued` stays 0 here
  std::uint64_t waiting_ = 0;
  std::uint64_t leased_ = 0;
};

}  // namespace nfbus::host
