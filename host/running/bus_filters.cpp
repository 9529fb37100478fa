#include "running/bus_filters.hpp"

#include "running/sinks.hpp"

#include <utility>

namespace nfbus::host {

namespace {

constexpr std::chrono::milliseconds kTakeTime{500};

std::shared_ptr<FilterChain> shared(FilterChain chain) {
  return chain.empty() ? nullptr : std::make_shared<FilterChain>(std::move(chain));
}

}  // namespace

BusFilters::~BusFilters() { set_waker({}); }

Result<void> BusFilters::open(std::vector<FilterConfig> configs, std::vector<const nfbus_plugin*> code,
                              FilterChain chain) {
  if (auto opened = chain.open(); !opened) return opened;
  configs_ = std::move(configs);
  code_ = std::move(code);
  running_ = shared(std::move(chain));
  any_.store(running_ != nullptr, std::memory_order_relaxed);
  if (running_) listen(*running_);
  const MutexLock lock(mutex_);
  shown_ = running_;
  return {};
}

void BusFilters::set_waker(std::function<void()> wake) {
  wake_ = std::move(wake);
  std::shared_ptr<FilterChain> chain;
  {
    const MutexLock lock(mutex_);
    chain = shown_;
  }
  if (chain) chain->set_waker(wake_);
}

Result<void> BusFilters::replace(std::vector<FilterConfig> configs, std::vector<const nfbus_plugin*> code,
                                 FilterChain chain) {
  if (auto opened = chain.open(); !opened) return opened;
  std::shared_ptr<FilterChain> next = shared(std::move(chain));
  if (next) {
    next->set_waker(wake_);
    listen(*next);
  }
  std::shared_ptr<FilterChain> old;
  std::vector<std::shared_ptr<FilterChain>> ended;
  {
    MutexLock lock(mutex_);
    old = std::exchange(shown_, next);
    if (next_) ended_.push_back(std::move(next_));  // it was never taken
    next_ = std::move(next);
    any_.store(true, std::memory_order_relaxed);
    has_next_.store(true, std::memory_order_release);
    if (wake_) wake_();
    const auto until = Clock::now() + kTakeTime;
    while (has_next_.load(std::memory_order_relaxed) && taken_.wait_until(lock, until)) {
    }
    ended.swap(ended_);
  }
  configs_ = std::move(configs);
  code_ = std::move(code);
  if (old) {
    old->set_waker({});
    end_listening(*old);
  }
  return {};
}

std::vector<FilterSnapshot> BusFilters::snapshots() const {
  std::shared_ptr<FilterChain> chain;
  {
    const MutexLock lock(mutex_);
    chain = shown_;
  }
  return chain ? chain->snapshots() : std::vector<FilterSnapshot>();
}

void BusFilters::apply(std::vector<const nfbus_event*>& packets) {
  take_next();
  if (running_) running_->apply(packets, overlay_);
}

BusFilters::Clock::time_point BusFilters::next_tick() const noexcept {
  if (has_next_.load(std::memory_order_acquire)) return Clock::time_point{};
  return running_ ? running_->next_tick() : FilterChain::kNever;
}

void BusFilters::tick(Clock::time_point now) {
  take_next();
  if (running_) running_->tick(now);
}

void BusFilters::finish() {
  take_next();
  if (running_) running_->finish();
}

// The old chain says its last words where all its calls were made; [control] destroys it.
void BusFilters::take_next() {
  if (!has_next_.load(std::memory_order_acquire)) return;
  if (running_) running_->finish();
  const MutexLock lock(mutex_);
  if (running_) ended_.push_back(std::move(running_));
  running_ = std::exchange(next_, nullptr);
  any_.store(running_ != nullptr, std::memory_order_relaxed);
  has_next_.store(false, std::memory_order_relaxed);
  taken_.notify_all();
}

void BusFilters::listen(const FilterChain& chain) {
  for (const auto& messages : messages_of(chain)) bus_.add(messages);
}

void BusFilters::end_listening(const FilterChain& chain) {
  for (const auto& messages : messages_of(chain)) bus_.remove(messages);
}

}  // namespace nfbus::host
