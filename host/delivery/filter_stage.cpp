#include "delivery/filter_stage.hpp"

#include "support/log.hpp"

#include <fmt/format.h>

namespace nfbus::host {

namespace {

// What may wait for one filter: it hears at least at its ticks, so this is a second or so of a busy bus.
constexpr QueueLimits kMessageLimits = {.events = 4096, .bytes = 4UL << 20U, .overflow = Overflow::drop_oldest};

// What one hear() gets at most, and how often it is called in a row: a busy publisher must not keep the filter's thread
// from its events.
constexpr std::size_t kMessagesPerCall = 256;
constexpr std::size_t kCallsInARow = kMessageLimits.events / kMessagesPerCall;

}  // namespace

FilterStage::FilterStage(std::unique_ptr<FilterInstance> filter) : filter_(std::move(filter)) {
  set_waker({});
  const auto& topics = filter_->listened();
  if (topics.empty()) return;
  Interest interest{.topics = {}, .kinds = NFBUS_EVENT_MESSAGE};
  for (const std::string& topic : topics) interest.topics.push_back(TopicPattern::beginning_with(topic));
  messages_ = std::make_shared<Subscription>(std::move(interest), kMessageLimits);
}

Result<void> FilterStage::open() {
  if (std::exchange(opened_, true)) return {};
  auto opened = filter_->open();
  if (opened) return {};
  return Error{.code = opened.error().code, .text = fmt::format("filter.{}: {}", filter_->name(), opened.error().text)};
}

void FilterStage::set_waker(std::function<void()> waker) {
  filter_->services().set_waker([this, wake = std::move(waker)] {
    woken_.store(true, std::memory_order_relaxed);
    if (wake) wake();
  });
}

bool FilterStage::apply(std::span<const nfbus_event*> items, std::span<std::uint8_t> verdicts, EditRoom& room) {
  hear();
  const auto applied = filter_->apply(items, verdicts, room);
  note(applied, "; its events are kept");
  return applied.ok();
}

void FilterStage::reopen() { note(filter_->reopen(), ""); }

FilterStage::Clock::time_point FilterStage::next_tick() const noexcept {
  if (!filter_->ticks()) return kNever;
  if (woken_.load(std::memory_order_relaxed)) return Clock::time_point{};
  const std::uint32_t tick_ms = filter_->tick_ms();
  return tick_ms == 0 ? kNever : last_tick_ + std::chrono::milliseconds(tick_ms);
}

void FilterStage::tick(Clock::time_point now) {
  if (now < next_tick()) return;
  woken_.store(false, std::memory_order_relaxed);  // before the tick: what comes meanwhile is another
  last_tick_ = now;
  hear();
  note(filter_->tick(), "");
}

void FilterStage::finish() {
  if (!filter_->finishes() || std::exchange(finished_, true)) return;
  hear();
  note(filter_->finish(), "");
}

// Hands over what waits, without waiting for more.
void FilterStage::hear() {
  if (!messages_) return;
  MemoryQueue& queue = messages_->queue();
  std::vector<const QueueEntry*> entries;
  for (std::size_t call = 0; call < kCallsInARow; ++call) {
    entries.clear();
    queue.pull(entries, {.enough = kMessagesPerCall, .most = kMessagesPerCall}, {}, Clock::time_point::min());
    if (entries.empty()) return;
    std::vector<const nfbus_event*> messages;
    std::uint64_t size_bytes = 0;
    for (const QueueEntry* entry : entries) {
      for (std::size_t i = entry->begin; i < entry->end; ++i) {
        messages.push_back(&(*entry)[i]);
        size_bytes += event_size_bytes((*entry)[i]);
      }
    }
    note(filter_->hear(messages, size_bytes), "");
    if (!queue.settle({.delivered = messages.size(), .begun = messages.size()})) queue.let_go();
  }
}

void FilterStage::note(const Result<void>& outcome, std::string_view consequence) {
  if (outcome.ok()) {
    if (std::exchange(failing_, false)) {
      log::repeated(log::Level::info, fmt::format("filter.{}", filter_->name()), "it works again");
    }
    return;
  }
  failing_ = true;
  failures_.fetch_add(1, std::memory_order_relaxed);
  log::repeated(log::Level::warning, fmt::format("filter.{}", filter_->name()),
                fmt::format("{}{}", outcome.error().text, consequence));
}

FilterSnapshot FilterStage::snapshot() const {
  const QueueCounters messages = messages_ ? messages_->queue().counters() : QueueCounters{};
  return {.name = filter_->name(),
          .plugin = std::string(view(filter_->plugin().entry->name)),
          .failures = failures_.load(std::memory_order_relaxed),
          .heard = messages.delivered,
          .unheard = messages.overflowed,
          .own = filter_->services().counters(),
          .call = filter_->running_call()};
}

}  // namespace nfbus::host
