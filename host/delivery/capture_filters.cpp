#include "delivery/capture_filters.hpp"

#include "rewrite/edits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

// A batch that is not frozen yet: its events themselves are changed, and the changes lie in its slabs.
class BatchRoom final : public EditRoom {
 public:
  BatchRoom(Batch& batch, SlabWriter& writer) : batch_(batch), writer_(writer) {}
  [[nodiscard]] Event& writable(const nfbus_event& event) override {
    return batch_.mutable_events()[static_cast<std::size_t>(&host_event(event) - batch_.events().data())];
  }
  [[nodiscard]] std::span<std::uint8_t> allocate(std::size_t size_bytes) override {
    return batch_.allocate(writer_, size_bytes);
  }

 private:
  Batch& batch_;
  SlabWriter& writer_;
};

}  // namespace

std::size_t CaptureFilterChain::apply(Batch& batch, SlabWriter& writer) noexcept {
  const std::span<Event> events = batch.mutable_events();
  items_.clear();
  for (Event& event : events) {
    event.origin = &event;
    items_.push_back(&event);
  }
  BatchRoom room(batch, writer);
  const std::size_t dropped = chain_.apply(items_, room);
  if (dropped == 0) return 0;
  verdicts_.assign(events.size(), NFBUS_DROP);
  for (const nfbus_event* kept : items_) {
    verdicts_[static_cast<std::size_t>(&host_event(*kept) - events.data())] = NFBUS_KEEP;
  }
  batch.remove_dropped(verdicts_);
  return dropped;
}

std::string CaptureFilterSnapshot::of() const { return fmt::format("capture.{}", fmt::join(groups, ",capture.")); }

std::vector<CaptureFilterSnapshot> snapshots_of(
    const std::vector<std::pair<std::uint16_t, CaptureFilterChain*>>& chains_by_group) {
  std::vector<CaptureFilterSnapshot> rows;
  for (const auto& [group, chain] : chains_by_group) {
    for (FilterSnapshot& filter : chain->chain().snapshots()) {
      const auto known =
          std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.filter.name == filter.name; });
      if (known == rows.end()) {
        rows.push_back({.filter = std::move(filter), .groups = {group}});
      } else if (known->groups.back() != group) {
        known->groups.push_back(group);
      }
    }
  }
  return rows;
}

}  // namespace nfbus::host
