// Work for the worker that other threads ask for: requests that look at what the worker owns.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <mutex>
#include <utility>

namespace websocket {

// Long work is done in pieces, so that live events go on: a job that is not done by `until` comes again, behind the
// others. A job may hold what belongs to the server's thread: close() comes before that ends.
class Jobs {
 public:
  using Clock = std::chrono::steady_clock;
  using Job = std::function<bool(Clock::time_point until)>;  // true: it is done

  // [any] After close() a job is dropped.
  void post(Job job) {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return;
    waiting_.push_back(std::move(job));
    ++size_;
  }

  // [any] How many wait or are at work.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // [worker] Drops all, for good.
  void close() {
    std::deque<Job> dropped;  // where no lock is held
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
      dropped.swap(waiting_);
    }
    own_.clear();
    size_ = 0;
  }

  // [worker] Returns whether some are left. failed(exception): one threw that, and is over.
  template <typename Failed>
  bool run(Clock::time_point until, Failed failed) {
    do {
      {
        const std::lock_guard lock(mutex_);
        std::move(waiting_.begin(), waiting_.end(), std::back_inserter(own_));
        waiting_.clear();
      }
      if (own_.empty()) return false;
      Job job = std::move(own_.front());
      own_.pop_front();
      Place place(size_);
      try {
        if (!job(std::min(until, Clock::now() + kPiece))) {
          own_.push_back(std::move(job));
          place.keep();
        }
      } catch (const std::exception& exception) {
        failed(exception);
      }
    } while (Clock::now() < until);
    return true;
  }

 private:
  // Of a job at work, among those that are counted. However it ends, the next has it.
  class Place {
   public:
    explicit Place(std::atomic<std::size_t>& size) : size_(&size) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (size_ != nullptr) --*size_;
    }
    void keep() noexcept { size_ = nullptr; }

   private:
    std::atomic<std::size_t>* size_;  // null: it stays
  };

  static constexpr std::chrono::milliseconds kPiece{4};

  std::atomic<std::size_t> size_ = 0;
  std::mutex mutex_;
  std::deque<Job> waiting_;
  bool is_closed_ = false;
  std::deque<Job> own_;  // the worker's
};

}  // namespace websocket
