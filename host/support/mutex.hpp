// A mutex whose rules the compiler checks: which state it guards, and which functions want it held. Under clang with
// -Wthread-safety, as the preset `fuzz` builds; other compilers see a std::mutex.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define NFBUS_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define NFBUS_THREAD_ATTRIBUTE(x)
#endif

// The member may be read and written with the mutex held alone.
#define NFBUS_GUARDED_BY(mutex) NFBUS_THREAD_ATTRIBUTE(guarded_by(mutex))
// The function's caller holds the mutex.
#define NFBUS_REQUIRES(mutex) NFBUS_THREAD_ATTRIBUTE(requires_capability(mutex))
// The function reads without the mutex what its thread alone changes, with it held: its comment says which thread.
#define NFBUS_OWNERS_VIEW NFBUS_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace nfbus::host {

class NFBUS_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

// Holds the mutex while it lives, but for the time from unlock() to lock().
class NFBUS_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) NFBUS_THREAD_ATTRIBUTE(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() NFBUS_THREAD_ATTRIBUTE(release_capability()) = default;

  void lock() NFBUS_THREAD_ATTRIBUTE(acquire_capability()) { lock_.lock(); }
  void unlock() NFBUS_THREAD_ATTRIBUTE(release_capability()) { lock_.unlock(); }

 private:
  friend class Condition;
  std::unique_lock<std::mutex> lock_;
};

// The caller's loop holds the predicate, since the compiler would not know in a lambda that the mutex is held.
class Condition {
 public:
  void wait(MutexLock& lock) { signal_.wait(lock.lock_); }
  // False: the time has come.
  bool wait_until(MutexLock& lock, std::chrono::steady_clock::time_point until) {
    return signal_.wait_until(lock.lock_, until) == std::cv_status::no_timeout;
  }
  void notify_one() noexcept { signal_.notify_one(); }
  void notify_all() noexcept { signal_.notify_all(); }

 private:
  std::condition_variable signal_;
};

}  // namespace nfbus::host
