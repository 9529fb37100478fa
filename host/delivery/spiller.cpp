#include "delivery/spiller.hpp"

#include "support/own_thread.hpp"

#include <algorithm>

namespace nfbus::host {

Spiller::~Spiller() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Result<void> Spiller::add(SpillQueue& queue) {
  if (!thread_.joinable()) {
    if (auto started = start_own_thread(thread_, "spill", [this] { run(); }); !started) return started;
  }
  queue.start([this] { wake(); });
  const MutexLock lock(mutex_);
  served_.push_back({.queue = &queue, .next = Clock::time_point::min()});
  changed_.notify_all();
  return {};
}

bool Spiller::remove(SpillQueue& queue, Clock::time_point deadline) {
  MutexLock lock(mutex_);
  std::erase_if(served_, [&](const Served& one) { return one.queue == &queue; });
  while (in_use_ == &queue) {
    if (!changed_.wait_until(lock, deadline)) return in_use_ != &queue;
  }
  return true;
}

void Spiller::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Spiller::run() {
  MutexLock lock(mutex_);
  while (!ending_) {
    const bool all = std::exchange(woken_, false);
    const auto due = std::ranges::min_element(served_, {}, &Served::next);
    const auto now = Clock::now();
    if (all) {
      for (Served& one : served_) one.next = Clock::time_point::min();
      if (!served_.empty()) continue;
    }
    if (due == served_.end()) {
      changed_.wait(lock);
      continue;
    }
    if (now < due->next) {
      changed_.wait_until(lock, due->next);
      continue;
    }
    SpillQueue* const queue = due->queue;
    in_use_ = queue;
    lock.unlock();
    const auto next = queue->step();
    lock.lock();
    in_use_ = nullptr;
    const auto served = std::ranges::find(served_, queue, &Served::queue);
    if (served != served_.end()) served->next = next;
    changed_.notify_all();
  }
}

}  // namespace nfbus::host
