// The filters of the captures that run, and others in their place.
#pragma once

#include "bus/bus.hpp"
#include "capture/source.hpp"
#include "config/config.hpp"
#include "delivery/capture_filters.hpp"
#include "running/pieces.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <map>
#include <vector>

namespace nfbus::host {

// What the filters of captures are made of: equal plans do the same.
struct GroupFilterPlan {
  std::map<std::uint16_t, std::vector<FilterConfig>> filters;  // by group
  std::vector<const nfbus_plugin*> code;                       // of each, group by group

  bool operator==(const GroupFilterPlan&) const = default;
};

// [control] Of a configuration that was checked.
[[nodiscard]] GroupFilterPlan group_filter_plan(const Config& config, const PluginRegistry& plugins);

// Thread safety: [control], but snapshots() from any thread.
class GroupFilters {
 public:
  // bus: brings the messages that filters listen to; outlives this.
  explicit GroupFilters(Bus& bus) : bus_(bus) {}

  // Opens them, which the source of the groups is about to own. An error names the filter.
  Result<void> open(GroupFilterPlan plan, CaptureChains chains);
  [[nodiscard]] const GroupFilterPlan& plan() const noexcept { return plan_; }
  // Opens the new ones, and has them take the place of all that run, in the source of the groups. An error leaves all
  // as it was.
  Result<void> replace(GroupFilterPlan plan, MadeCaptureFilters made, Source& source);
  [[nodiscard]] std::vector<CaptureFilterSnapshot> snapshots() const;

 private:
  Result<void> open(const CaptureChains& chains);

  Bus& bus_;
  GroupFilterPlan plan_;
  mutable Mutex mutex_;
  CaptureChains chains_ NFBUS_GUARDED_BY(mutex_);
};

}  // namespace nfbus::host
