#include "delivery/filter_chain.hpp"

#include "support/log.hpp"

#include <fmt/format.h>

#include <utility>

namespace nfbus::host {

FilterChain::FilterChain(std::vector<std::unique_ptr<FilterInstance>> filters) {
  filters_.reserve(filters.size());
  for (auto& filter : filters) filters_.push_back({.filter = std::move(filter)});
}

std::size_t FilterChain::apply(std::vector<const nfbus_event*>& items, const Annotate& annotate) {
  const std::size_t before = items.size();
  for (Stage& stage : filters_) {
    if (items.empty()) break;
    verdicts_.resize(items.size());
    const auto result =
        stage.filter->apply(items, verdicts_, [&](std::uint32_t index, std::string_view name, std::string_view value) {
          items[index] = annotate(*items[index], name, value);
        });
    if (!result) {
      stage.failures->fetch_add(1, std::memory_order_relaxed);
      if (const auto held_back = stage.complaints.admit()) {
        log::warning(fmt::format("filter.{}: {}; its events are kept ({} more such failures before)",
                                 stage.filter->name(), result.error().text, *held_back));
      }
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

std::vector<FilterSnapshot> FilterChain::snapshots() const {
  std::vector<FilterSnapshot> rows;
  rows.reserve(filters_.size());
  for (const Stage& stage : filters_) {
    rows.push_back({.name = stage.filter->name(),
                    .plugin = std::string(view(stage.filter->plugin().entry->name)),
                    .failures = stage.failures->load(std::memory_order_relaxed),
                    .own = stage.filter->services().counters()});
  }
  return rows;
}

}  // namespace nfbus::host
