#include "delivery/overlay.hpp"

namespace nfbus::host {

void merge_field(const nfbus_event& event, std::string_view name, std::string_view value,
                 std::vector<nfbus_field>& out) {
  out.clear();
  out.reserve(event.field_count + 1UL);
  bool replaced = false;
  for (std::size_t i = 0; i < event.field_count; ++i) {
    out.push_back(event.fields[i]);
    if (view(event.fields[i].name) != name) continue;
    out.back().value = text(value);
    replaced = true;
  }
  if (!replaced) out.push_back({.name = text(name), .value = text(value)});
}

const nfbus_event* Overlay::annotate(const nfbus_event& event, std::string_view name, std::string_view value) {
  texts_.emplace_back(name);
  const std::string_view kept_name = texts_.back();
  texts_.emplace_back(value);
  auto& fields = fields_.emplace_back();
  merge_field(event, kept_name, texts_.back(), fields);
  Event& stand_in = events_.emplace_back(host_event(event));
  stand_in.fields = fields.data();
  stand_in.field_count = static_cast<std::uint32_t>(fields.size());
  return &stand_in;
}

void Overlay::clear() noexcept {
  events_.clear();
  fields_.clear();
  texts_.clear();
}

}  // namespace nfbus::host
