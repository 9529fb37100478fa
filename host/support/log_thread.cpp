#include "support/log_thread.hpp"

#include "support/mutex.hpp"
#include "support/own_thread.hpp"
#include "support/repeats.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>

namespace nfbus::host {

namespace {

using LineRoom = std::array<char, log::kMostLineBytes>;

// Lines one behind the other in a ring, each behind its size. Thread safety: none.
class LineRing {
 public:
  explicit LineRing(std::size_t size_bytes)
      : size_(size_bytes), bytes_(std::make_unique_for_overwrite<char[]>(size_bytes)) {}

  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] static std::size_t cost(std::string_view line) noexcept { return sizeof(Size) + line.size(); }

  // cost(line) must fit.
  void push(std::string_view line) noexcept {
    const auto size = static_cast<Size>(line.size());
    put(reinterpret_cast<const char*>(&size), sizeof size);
    put(line.data(), line.size());
  }
  // used() must not be 0.
  std::string_view pop(LineRoom& room) noexcept {
    Size size = 0;
    get(reinterpret_cast<char*>(&size), sizeof size);
    get(room.data(), size);
    return {room.data(), size};
  }

 private:
  using Size = std::uint16_t;
  static_assert(log::kMostLineBytes <= std::numeric_limits<Size>::max());

  void put(const char* from, std::size_t count) noexcept {
    const std::size_t at = (first_ + used_) % size_;
    const std::size_t head = std::min(count, size_ - at);
    std::memcpy(&bytes_[at], from, head);
    std::memcpy(&bytes_[0], from + head, count - head);
    used_ += count;
  }
  void get(char* to, std::size_t count) noexcept {
    const std::size_t head = std::min(count, size_ - first_);
    std::memcpy(to, &bytes_[first_], head);
    std::memcpy(to + head, &bytes_[0], count - head);
    first_ = (first_ + count) % size_;
    used_ -= count;
  }

  const std::size_t size_;
  const std::unique_ptr<char[]> bytes_;
  std::size_t first_ = 0;
  std::size_t used_ = 0;
};

void write_whole(int descriptor, std::string_view line) noexcept {
  while (!line.empty()) {
    const ssize_t written = ::write(descriptor, line.data(), line.size());
    if (written >= 0) {
      line.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else who has this terminal open made it so
      pollfd waiting{.fd = descriptor, .events = POLLOUT, .revents = 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return;  // nobody is left to be told
    }
  }
}

}  // namespace

class LogThread::Queue final : public log::Receiver {
 public:
  Queue(int descriptor, std::size_t size_bytes) : descriptor_(descriptor), ring_(size_bytes) {}

  void take(log::Level level, std::string_view line) noexcept override {
    const MutexLock lock(mutex_);
    const bool catching_up = unsaid_drops_ != 0 && level != log::Level::error;
    if (catching_up || ring_.used() + LineRing::cost(line) > room_for(level)) {
      ++unsaid_drops_;
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    ring_.push(line);
    changed_.notify_all();
  }

  void take_repeated(log::Level level, std::string_view source, std::string_view kind,
                     std::string_view line) noexcept override {
    try {
      const MutexLock lock(repeats_mutex_);
      if (!repeats_.admit(level, source, kind, line, Clock::now())) return;
    } catch (const std::exception&) {  // without memory it is said each time
    }
    say(level, source, line);
  }

  void run() noexcept {
    LineRoom room;  // NOLINT(cppcoreguidelines-pro-type-member-init): as much as is used is set
    for (;;) {
      const Clock::time_point due = say_due();
      MutexLock lock(mutex_);
      while (ring_.used() == 0 && !ending_ && changed_.wait_until(lock, due)) {
      }
      while (ring_.used() != 0 && !ending_) {
        const std::string_view line = ring_.pop(room);
        admit_drops();
        writing_ = true;
        lock.unlock();
        write_whole(descriptor_, line);
        lock.lock();
        writing_ = false;
      }
      changed_.notify_all();
      if (ending_) return;
    }
  }

  void say_held_back() noexcept {
    try {
      const MutexLock lock(repeats_mutex_);
      repeats_.say_all(Clock::now(), say_);
    } catch (const std::exception&) {  // their counts are lost with the memory
    }
  }

  void wait_written(Clock::time_point deadline) noexcept {
    MutexLock lock(mutex_);
    while (!is_written() && changed_.wait_until(lock, deadline)) {
    }
  }

  // For want of a thread: on this one, as long as the descriptor says that it has room.
  void write_waiting(Clock::time_point deadline) noexcept {
    LineRoom room;  // NOLINT(cppcoreguidelines-pro-type-member-init): as much as is used is set
    const MutexLock lock(mutex_);
    while (ring_.used() != 0) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      pollfd waiting{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return;
      write_whole(descriptor_, ring_.pop(room));
    }
  }

  // Nothing is written after it. False: a write still waits for the reader, and what is behind it is lost.
  bool end() noexcept {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    return is_written();
  }

  [[nodiscard]] std::uint64_t dropped() const noexcept override { return dropped_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] bool is_written() const noexcept NFBUS_REQUIRES(mutex_) { return ring_.used() == 0 && !writing_; }

  // Of the ring, for lines of this level.
  [[nodiscard]] std::size_t room_for(log::Level level) const noexcept NFBUS_REQUIRES(mutex_) {
    switch (level) {
      case log::Level::error: return ring_.size();
      case log::Level::warning: return ring_.size() / 4 * 3;
      default: return ring_.size() / 2;
    }
  }

  // Once most of what waited is read, lines are taken again, behind one that says how many are missing there.
  void admit_drops() noexcept NFBUS_REQUIRES(mutex_) {
    if (unsaid_drops_ == 0 || ring_.used() > ring_.size() / 4) return;
    std::array<char, 96> text{};
    char* const behind_number = std::to_chars(text.data(), text.data() + text.size(), unsaid_drops_).ptr;
    constexpr std::string_view kWhat = " lines of the log were dropped: its reader is too slow";
    static_assert(kWhat.size() + std::numeric_limits<std::uint64_t>::digits10 + 1 <= std::tuple_size_v<decltype(text)>);
    const char* const end = std::copy(kWhat.begin(), kWhat.end(), behind_number);
    LineRoom room;  // NOLINT(cppcoreguidelines-pro-type-member-init): as much as is used is set
    ring_.push(log::make_line(log::Level::warning, {}, {text.data(), end}, room));
    unsaid_drops_ = 0;
  }

  void say(log::Level level, std::string_view source, std::string_view line) noexcept {
    LineRoom room;  // NOLINT(cppcoreguidelines-pro-type-member-init): as much as is used is set
    take(level, log::make_line(level, source, line, room));
  }

  Clock::time_point say_due() noexcept {
    try {
      const MutexLock lock(repeats_mutex_);
      repeats_.say_due(Clock::now(), say_);
      return repeats_.next_due();
    } catch (const std::exception&) {
      return Clock::now() + log::Repeats::kFirstInterval;
    }
  }

  // Constant after construction.
  const int descriptor_;
  const log::Repeats::Say say_ = [this](log::Level level, std::string_view source, std::string_view line) {
    say(level, source, line);
  };
  std::atomic<std::uint64_t> dropped_{0};

  // Taken before mutex_. Never taken by flush(), which a thread calls that ran out of memory while it had it.
  Mutex repeats_mutex_;
  log::Repeats repeats_ NFBUS_GUARDED_BY(repeats_mutex_);

  Mutex mutex_;
  Condition changed_;
  LineRing ring_ NFBUS_GUARDED_BY(mutex_);
  std::uint64_t unsaid_drops_ NFBUS_GUARDED_BY(mutex_) = 0;
  bool writing_ NFBUS_GUARDED_BY(mutex_) = false;
  bool ending_ NFBUS_GUARDED_BY(mutex_) = false;
};

LogThread::LogThread(int descriptor, std::size_t queue_bytes)
    : queue_(std::make_shared<Queue>(descriptor, std::max(queue_bytes, 4 * log::kMostLineBytes))) {
  log::set_receiver(queue_.get());
}

LogThread::~LogThread() {
  finish(Clock::now() + kLastWait);
  log::set_receiver(nullptr);
  const bool ends = queue_->end();
  if (!thread_.joinable()) return;
  if (ends) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

Result<void> LogThread::start() {
  return start_own_thread(thread_, "log", [queue = queue_] { queue->run(); });
}

void LogThread::finish(Clock::time_point deadline) noexcept {
  queue_->say_held_back();
  if (thread_.joinable() || start().ok()) return flush(deadline);
  queue_->write_waiting(deadline);
}

bool LogThread::is_this_thread() const noexcept { return thread_.get_id() == std::this_thread::get_id(); }

void LogThread::flush(Clock::time_point deadline) noexcept { queue_->wait_written(deadline); }

}  // namespace nfbus::host
