#include "running/diagnosis.hpp"

#include "formats/format.hpp"
#include "plugins/instance.hpp"
#include "plugins/source_instance.hpp"
#include "running/captures.hpp"
#include "running/pieces.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace nfbus::host {

std::vector<InstanceFinding> diagnose_all(const Config& config, const PluginRegistry& plugins, PrivilegedParts& parts) {
  const FormatSet formats(config.host.device);
  const ConfiguredCaptures captures(config, plugins);
  SharedServices services = services_at_rest(formats, config, plugins, &parts);
  services.captures = captures.abi();
  std::vector<InstanceFinding> all;
  const auto ask = [&]<class Instance>(std::string_view kind, const PluginConfig& configured) {
    const std::string name = fmt::format("{}.{}", kind, configured.name);
    const auto made =
        Instance::create(*plugins.find(configured.plugin), configured.name, configured.options_json, services);
    if (!made) {
      all.push_back({name, {.level = log::Level::error, .text = made.error().text, .fix = {}}});
      return;
    }
    for (Finding& finding : made.value()->diagnose()) all.push_back({name, std::move(finding)});
  };
  for (const SinkConfig& sink : config.sinks) ask.operator()<SinkInstance>("sink", sink);
  for (const FilterConfig& filter : config.filters) ask.operator()<FilterInstance>("filter", filter);
  for (const PluginConfig& source : config.sources) ask.operator()<SourceInstance>("source", source);
  return all;
}

}  // namespace nfbus::host
