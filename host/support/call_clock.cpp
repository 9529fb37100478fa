#include "support/call_clock.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace nfbus::host {

namespace {

pid_t this_thread() noexcept {
  static thread_local const pid_t thread = ::gettid();
  return thread;
}

}  // namespace

std::string to_string(const RunningCall& call) {
  return fmt::format("in {}() for {} s", call.function,
                     std::chrono::duration_cast<std::chrono::seconds>(call.lasts).count());
}

// All in one order, so that what now() reads between two looks at the same odd number is of one call.
void CallClock::begin(std::string_view function) noexcept {
  function_ = function.data();
  function_bytes_ = function.size();
  since_ = Clock::now().time_since_epoch().count();
  thread_ = this_thread();
  ++number_;
}

void CallClock::end() noexcept { ++number_; }

std::optional<RunningCall> CallClock::now() const {
  const std::uint64_t number = number_;
  if (number % 2 == 0) return std::nullopt;
  RunningCall call{.instance = instance_,
                   .function = {function_, function_bytes_},
                   .lasts = Clock::now() - Clock::time_point(Clock::duration(since_)),
                   .thread = thread_,
                   .number = number / 2 + 1};
  if (number_ != number) return std::nullopt;
  return call;
}

void RunningCalls::add(const CallClock& clock) {
  const MutexLock lock(mutex_);
  clocks_.push_back(&clock);
}

void RunningCalls::remove(const CallClock& clock) {
  const MutexLock lock(mutex_);
  std::erase(clocks_, &clock);
}

std::vector<RunningCall> RunningCalls::longer_than(std::chrono::steady_clock::duration at_least) const {
  return find(at_least, false);
}

std::vector<RunningCall> RunningCalls::all_longer_than(std::chrono::steady_clock::duration at_least) const {
  return find(at_least, true);
}

std::vector<RunningCall> RunningCalls::find(std::chrono::steady_clock::duration at_least, bool for_good) const {
  std::vector<RunningCall> calls;
  const MutexLock lock(mutex_);
  for (const CallClock* const clock : clocks_) {
    if (!for_good && clock->lasts() == CallClock::Lasts::for_good) continue;
    if (auto call = clock->now(); call && call->lasts >= at_least) calls.push_back(std::move(*call));
  }
  return calls;
}

}  // namespace nfbus::host
