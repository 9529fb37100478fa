#include "delivery/capture_filters.hpp"

#include "delivery/overlay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace nfbus::host {

std::size_t CaptureFilterChain::apply(Batch& batch, SlabWriter& writer) noexcept {
  const std::span<Event> events = batch.mutable_events();
  items_.clear();
  for (Event& event : events) {
    event.origin = &event;
    items_.push_back(&event);
  }
  const auto keep = [&](std::string_view text_view) {
    const auto room = batch.allocate(writer, text_view.size());
    std::memcpy(room.data(), text_view.data(), text_view.size());
    return std::string_view(reinterpret_cast<const char*>(room.data()), text_view.size());
  };
  std::vector<nfbus_field> fields;
  const std::size_t dropped =
      chain_.apply(items_, [&](const nfbus_event& event, std::string_view name, std::string_view value) {
        merge_field(event, keep(name), keep(value), fields);
        const auto room = batch.allocate(writer, fields.size() * sizeof(nfbus_field));
        std::memcpy(room.data(), fields.data(), room.size());
        Event& annotated = events[static_cast<std::size_t>(&host_event(event) - events.data())];
        annotated.fields = reinterpret_cast<const nfbus_field*>(room.data());
        annotated.field_count = static_cast<std::uint32_t>(fields.size());
        return &annotated;
      });
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
    const std::vector<std::pair<std::uint16_t, const CaptureFilterChain*>>& chains_by_group) {
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
