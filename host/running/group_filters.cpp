#include "running/group_filters.hpp"

#include "running/sinks.hpp"
#include "support/log.hpp"

#include <utility>

namespace nfbus::host {

namespace {

// Each once, though groups share their stages.
FilterMessages messages_of(const CaptureChains& chains) {
  FilterMessages messages;
  for (const auto& [group, chain] : chains) messages.merge(messages_of(chain->chain()));
  return messages;
}

}  // namespace

GroupFilterPlan group_filter_plan(const Config& config, const PluginRegistry& plugins) {
  GroupFilterPlan plan;
  for (const CaptureConfig& capture : config.captures) {
    plan.filters.emplace(capture.group, filter_configs(config, capture.filters));
  }
  for (const auto& [group, filters] : plan.filters) {
    for (const nfbus_plugin* const code : code_of(filters, plugins)) plan.code.push_back(code);
  }
  return plan;
}

Result<void> GroupFilters::open(const CaptureChains& chains) {
  for (const auto& [group, chain] : chains) {
    if (auto opened = chain->open(); !opened) return opened;
  }
  for (const auto& subscription : messages_of(chains)) bus_.add(subscription);
  return {};
}

Result<void> GroupFilters::open(GroupFilterPlan plan, CaptureChains chains) {
  if (auto opened = open(chains); !opened) return opened;
  plan_ = std::move(plan);
  const MutexLock lock(mutex_);
  chains_ = std::move(chains);
  return {};
}

Result<void> GroupFilters::replace(GroupFilterPlan plan, MadeCaptureFilters made, Source& source) {
  if (auto opened = open(made.chains); !opened) return opened;
  FilterMessages old_messages;
  {
    // Whoever asks for the numbers asks the new ones from now on, so the old ones may be destroyed.
    const MutexLock lock(mutex_);
    old_messages = messages_of(chains_);
    chains_ = std::move(made.chains);
  }
  plan_ = std::move(plan);
  const auto ended = source.replace_filters(std::move(made.filters));
  for (const auto& subscription : old_messages) bus_.remove(subscription);
  if (!ended) log::warning("a filter of a capture has not come back: the new ones take its place when it has");
  return {};
}

std::vector<CaptureFilterSnapshot> GroupFilters::snapshots() const {
  const MutexLock lock(mutex_);
  return snapshots_of(chains_);
}

}  // namespace nfbus::host
