// Gathers what all instances of a configuration find wrong around them.
#pragma once

#include "config/config.hpp"
#include "plugins/diagnosis.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/registry.hpp"

#include <string>
#include <vector>

namespace nfbus::host {

struct InstanceFinding {
  std::string instance;  // "sink.archive"
  Finding finding;
};

// [control] Makes each sink, filter and source that is declared, once and one at a time, asks it, and drops it; opens
// nothing. The configuration was checked. One that cannot be made (a filter that nobody names) is an error among the
// findings.
[[nodiscard]] std::vector<InstanceFinding> diagnose_all(const Config& config, const PluginRegistry& plugins,
                                                        PrivilegedParts& parts);

}  // namespace nfbus::host
