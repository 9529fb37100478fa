#include "cli/quiet_groups.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

constexpr double kLongS = 600;

}  // namespace

std::vector<InstanceFinding> find_quiet_groups(std::string_view status) {
  std::vector<InstanceFinding> found;
  try {
    const auto parsed = nlohmann::json::parse(status);
    const double uptime_s = parsed.at("uptime_s").get<double>();
    if (uptime_s < kLongS) return found;
    for (const auto& row : parsed.at("capture")) {
      if (row.at("received").get<double>() != 0) continue;
      const unsigned group = row.at("group").get<std::uint16_t>();
      found.push_back({fmt::format("capture.{}", group),
                       {.level = log::Level::warning,
                        .text = fmt::format("no packet has come from group {} in {:.0f} minutes, since nfbus started",
                                            group, uptime_s / 60),
                        .fix = fmt::format("see whether a rule logs to it, and whether its packets are counted: nft -a "
                                           "list ruleset | grep -w 'group {}'",
                                           group)}});
    }
  } catch (const nlohmann::json::exception&) {
    // A host of another version: nothing is known of its groups.
  }
  return found;
}

}  // namespace nfbus::host
