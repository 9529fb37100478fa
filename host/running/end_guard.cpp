#include "running/end_guard.hpp"

#include "support/log.hpp"
#include "support/own_thread.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

// While a signal waits, the main thread is looked at so often.
constexpr std::chrono::milliseconds kLook{100};

// The longest sleep: whoever sets a deadline wakes the guard.
constexpr std::chrono::hours kLongest{1};

}  // namespace

EndGuard::~EndGuard() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    ends_ = true;
  }
  wake();
  thread_.join();
}

Result<void> EndGuard::start() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&set, signal);
  asked_ = Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!asked_.valid()) return system_error("signalfd");
  wake_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return system_error("eventfd");
  return start_own_thread(thread_, "end-guard", [this] { watch(); });
}

void EndGuard::set_last_words(std::function<void()> last_words) {
  const MutexLock lock(mutex_);
  last_words_ = std::move(last_words);
}

void EndGuard::end_by(Clock::time_point deadline) {
  {
    const MutexLock lock(mutex_);
    deadline_ = deadline;
  }
  wake();
}

void EndGuard::wake() const noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

void EndGuard::watch() {
  Clock::time_point asked_at = Clock::time_point::max();  // since when a signal waits
  for (;;) {
    Clock::time_point deadline;
    {
      const MutexLock lock(mutex_);
      if (ends_) return;
      deadline = deadline_;
    }
    const auto now = Clock::now();
    if (now >= deadline) end_process(calls_of_main());
    const bool waits = asked_at != Clock::time_point::max();
    const Clock::duration sleep = std::min<Clock::duration>(deadline - now, waits ? Clock::duration(kLook) : kLongest);
    // A signal that waits is seen at each look; nobody sleeps on it.
    std::array<pollfd, 2> fds{pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                              pollfd{.fd = waits ? -1 : asked_.get(), .events = POLLIN, .revents = 0}};
    ::poll(fds.data(), fds.size(), static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(sleep).count()));
    std::uint64_t wakes = 0;
    static_cast<void>(!::read(wake_.get(), &wakes, sizeof wakes));
    pollfd asked{.fd = asked_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&asked, 1, 0) != 1) {
      asked_at = Clock::time_point::max();
      continue;
    }
    asked_at = std::min(asked_at, Clock::now());
    if (Clock::now() - asked_at < kPatience) continue;
    if (std::vector<RunningCall> stuck = calls_of_main(); !stuck.empty()) end_process(stuck);
  }
}

std::vector<RunningCall> EndGuard::calls_of_main() const {
  std::vector<RunningCall> calls = calls_.longer_than({});
  std::erase_if(calls, [main = ::getpid()](const RunningCall& call) { return call.thread != main; });
  return calls;
}

void EndGuard::end_process(const std::vector<RunningCall>& stuck) {
  for (const RunningCall& call : stuck) {
    log::error(fmt::format("{}: its plugin is {}; the host ends without it", call.instance, to_string(call)));
  }
  if (stuck.empty()) log::error("the host does not come to its end in time: it ends at once");
  {
    const MutexLock lock(mutex_);
    if (last_words_) last_words_();
  }
  log_.flush(Clock::now() + LogThread::kLastWait);
  ::_exit(EXIT_FAILURE);
}

}  // namespace nfbus::host
