#include "report/own_events.hpp"

#include "formats/json_writer.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& value) { return json::shown(value.dump(-1, ' ', false, Json::error_handler_t::replace)); }

}  // namespace

std::string LossReporter::new_losses(const std::vector<CaptureSnapshot>& groups) {
  Json rows = Json::array();
  for (const CaptureSnapshot& group : groups) {
    const std::uint64_t before = std::exchange(reported_[group.group], group.lost);
    if (group.lost == before) continue;
    rows.push_back({{"group", group.group},
                    {"new", group.lost - before},
                    {"lost", group.lost},
                    {"received", group.received},
                    {"enobufs", group.enobufs}});
  }
  return rows.empty() ? std::string() : dump({{"capture", std::move(rows)}});
}

std::string sink_event(std::string_view name, std::string_view plugin, SinkState state, std::string_view why) {
  Json event = {{"name", name}, {"plugin", plugin}, {"state", to_string(state)}};
  if (!why.empty()) event["error"] = why;
  return dump(event);
}

}  // namespace nfbus::host
