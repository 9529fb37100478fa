#include "delivery/filter_chain.hpp"

#include <algorithm>

namespace nfbus::host {

std::size_t FilterChain::apply(std::vector<const nfbus_event*>& items, EditRoom& room) {
  const std::size_t before = items.size();
  for (const auto& stage : stages_) {
    if (items.empty()) break;
    if (!stage->takes(items.front()->kind)) continue;
    verdicts_.resize(items.size());
    if (!stage->apply(items, verdicts_, room)) continue;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (verdicts_[i] != NFBUS_DROP) items[kept++] = items[i];
    }
    items.resize(kept);
  }
  return before - items.size();
}

Result<void> FilterChain::open() {
  for (const auto& stage : stages_) {
    if (auto opened = stage->open(); !opened) return opened;
  }
  return {};
}

void FilterChain::set_waker(const std::function<void()>& waker) {
  for (const auto& stage : stages_) stage->set_waker(waker);
}

void FilterChain::reopen() {
  for (const auto& stage : stages_) stage->reopen();
}

FilterChain::Clock::time_point FilterChain::next_tick() const noexcept {
  auto next = kNever;
  for (const auto& stage : stages_) next = std::min(next, stage->next_tick());
  return next;
}

void FilterChain::tick(Clock::time_point now) {
  for (const auto& stage : stages_) stage->tick(now);
}

void FilterChain::finish() {
  for (const auto& stage : stages_) stage->finish();
}

bool FilterChain::finishes() const noexcept {
  return std::any_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->finishes(); });
}

std::vector<FilterSnapshot> FilterChain::snapshots() const {
  std::vector<FilterSnapshot> rows;
  rows.reserve(stages_.size());
  for (const auto& stage : stages_) rows.push_back(stage->snapshot());
  return rows;
}

}  // namespace nfbus::host
