#include "plugins/annotations.hpp"

#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"

#include <algorithm>
#include <span>

namespace nfbus::host {

KnownFields annotations_of(const PluginRegistry& registry, const std::vector<std::string>& plugin_names) {
  KnownFields fields;
  for (const std::string& name : plugin_names) {
    const Plugin* plugin = registry.find(name);
    const auto fields_of_it = plugin == nullptr ? std::span<const nfbus_text>() : annotates(*plugin->entry);
    if (fields_of_it.data() == nullptr) fields.any = true;
    for (const nfbus_text& field : fields_of_it) fields.names.emplace_back(plugin_view(field));
  }
  std::sort(fields.names.begin(), fields.names.end());
  fields.names.erase(std::unique(fields.names.begin(), fields.names.end()), fields.names.end());
  return fields;
}

}  // namespace nfbus::host
