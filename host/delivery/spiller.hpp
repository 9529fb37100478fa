// The one thread of a host that writes to disk what sinks have no room for.
#pragma once

#include "delivery/spill_queue.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <thread>
#include <vector>

namespace nfbus::host {

// Serves the queues in turn: one whose disk does not answer delays the others' writes, and nobody else. Thread safety:
// [control], but wake() from any thread.
class Spiller {
 public:
  Spiller() = default;
  Spiller(const Spiller&) = delete;
  Spiller& operator=(const Spiller&) = delete;
  ~Spiller();

  // Starts the thread with the first one. Code::io: there is none to be had.
  Result<void> add(SpillQueue& queue);
  // Returns when nobody writes for it any more, or false when its disk does not answer until `deadline`.
  [[nodiscard]] bool remove(SpillQueue& queue, std::chrono::steady_clock::time_point deadline);
  void wake();

 private:
  using Clock = std::chrono::steady_clock;

  struct Served {
    SpillQueue* queue;
    Clock::time_point next;
  };

  void run();

  Mutex mutex_;
  Condition changed_;
  std::vector<Served> served_ NFBUS_GUARDED_BY(mutex_);
  const SpillQueue* in_use_ NFBUS_GUARDED_BY(mutex_) = nullptr;
  bool woken_ NFBUS_GUARDED_BY(mutex_) = false;
  bool ending_ NFBUS_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace nfbus::host
