#include "support/side_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace nfbus::host {

namespace {
// Whoever is prompt goes first.
constexpr int kNice = 10;
}  // namespace

SideThread::~SideThread() {
  {
    const MutexLock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SideThread::run(std::function<Then()> piece) {
  {
    const MutexLock lock(mutex_);
    pieces_.push_back(std::move(piece));
  }
  changed_.notify_all();
}

std::vector<SideThread::Then> SideThread::take_done() {
  const MutexLock lock(mutex_);
  return std::exchange(done_, {});
}

void SideThread::work() {
  ::pthread_setname_np(::pthread_self(), "bus-side");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  MutexLock lock(mutex_);
  for (;;) {
    while (!ends_ && pieces_.empty()) changed_.wait(lock);
    if (ends_) return;
    const std::function<Then()> piece = std::move(pieces_.front());
    pieces_.pop_front();
    lock.unlock();
    Then then = piece();
    lock.lock();
    done_.push_back(std::move(then));
    wake_();
  }
}

}  // namespace nfbus::host
