#include "delivery/filter_chain.hpp"

#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

// What may wait for one filter: it hears at least at its ticks, so this is a second or so of a busy bus.
constexpr QueueLimits kMessageLimits = {.events = 4096, .bytes = 4UL << 20U, .overflow = Overflow::drop_oldest};

// What one hear() gets at most, and how often it is called in a row: a busy publisher must not keep the filter's thread
// from its events.
constexpr std::size_t kMessagesPerCall = 256;
constexpr std::size_t kCallsInARow = kMessageLimits.events / kMessagesPerCall;

}  // namespace

FilterChain::FilterChain(std::vector<std::unique_ptr<FilterInstance>> filters) {
  filters_.reserve(filters.size());
  for (auto& filter : filters) {
    Stage& stage = filters_.emplace_back(Stage{.filter = std::move(filter)});
    const auto& topics = stage.filter->listened();
    if (topics.empty()) continue;
    stage.messages =
        std::make_shared<Subscription>(Interest{.topics = topics, .kinds = NFBUS_EVENT_MESSAGE}, kMessageLimits);
    subscriptions_.push_back(stage.messages);
  }
  schedule();
  ticks_ = next_tick_ != kNever;
}

std::size_t FilterChain::apply(std::vector<const nfbus_event*>& items, const Annotate& annotate) {
  const std::size_t before = items.size();
  for (Stage& stage : filters_) {
    if (items.empty()) break;
    if ((stage.filter->event_kinds() & items.front()->kind) == 0) continue;
    if (stage.messages) hear(stage);
    verdicts_.resize(items.size());
    const auto result =
        stage.filter->apply(items, verdicts_, [&](std::uint32_t index, std::string_view name, std::string_view value) {
          items[index] = annotate(*items[index], name, value);
        });
    if (!result) {
      note_failure(stage, result.error(), "; its events are kept");
      continue;
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (verdicts_[i] != NFBUS_DROP) items[kept++] = items[i];
    }
    items.resize(kept);
  }
  return before - items.size();
}

void FilterChain::tick(Clock::time_point now) {
  for (Stage& stage : filters_) {
    if (now < due(stage)) continue;
    stage.last_tick = now;
    tick(stage);
  }
  schedule();
}

void FilterChain::finish() {
  for (Stage& stage : filters_) {
    if (stage.filter->tick_ms() != 0) tick(stage);
  }
}

void FilterChain::tick(Stage& stage) {
  if (stage.messages) hear(stage);
  if (const auto ticked = stage.filter->tick(); !ticked) note_failure(stage, ticked.error(), "");
}

// Hands over what waits, without waiting for more.
void FilterChain::hear(Stage& stage) {
  SubscriberQueue& queue = stage.messages->queue();
  std::vector<QueueEntry> entries;
  for (std::size_t call = 0; call < kCallsInARow; ++call) {
    entries.clear();
    queue.pull(entries, kMessagesPerCall, {}, Clock::time_point::min());
    if (entries.empty()) return;
    std::vector<const nfbus_event*> messages;
    std::uint64_t size_bytes = 0;
    for (const QueueEntry& entry : entries) {
      for (std::size_t i = entry.begin; i < entry.end; ++i) {
        messages.push_back(&entry[i]);
        size_bytes += event_size_bytes(entry[i]);
      }
    }
    const auto heard = stage.filter->hear(messages, size_bytes);
    if (!heard) note_failure(stage, heard.error(), "");
    queue.settle(messages.size(), 0, 0);
    for (const QueueEntry& entry : entries) queue.release(entry);
  }
}

void FilterChain::note_failure(Stage& stage, const Error& error, std::string_view consequence) {
  stage.failures->fetch_add(1, std::memory_order_relaxed);
  if (const auto held_back = stage.complaints.admit()) {
    log::warning(fmt::format("filter.{}: {}{} ({} more such failures before)", stage.filter->name(), error.text,
                             consequence, *held_back));
  }
}

FilterChain::Clock::time_point FilterChain::due(const Stage& stage) noexcept {
  const std::uint32_t tick_ms = stage.filter->tick_ms();
  return tick_ms == 0 ? kNever : stage.last_tick + std::chrono::milliseconds(tick_ms);
}

void FilterChain::schedule() noexcept {
  next_tick_ = kNever;
  for (const Stage& stage : filters_) next_tick_ = std::min(next_tick_, due(stage));
}

std::vector<FilterSnapshot> FilterChain::snapshots() const {
  std::vector<FilterSnapshot> rows;
  rows.reserve(filters_.size());
  for (const Stage& stage : filters_) {
    const QueueCounters messages = stage.messages ? stage.messages->queue().counters() : QueueCounters{};
    rows.push_back({.name = stage.filter->name(),
                    .plugin = std::string(view(stage.filter->plugin().entry->name)),
                    .failures = stage.failures->load(std::memory_order_relaxed),
                    .heard = messages.delivered,
                    .unheard = messages.overflowed,
                    .own = stage.filter->services().counters()});
  }
  return rows;
}

}  // namespace nfbus::host
