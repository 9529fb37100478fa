// Which groups a running host hears nothing from, for `nfbus doctor`.
#pragma once

#include "running/diagnosis.hpp"

#include <string_view>
#include <vector>

namespace nfbus::host {

// [control] Takes the JSON of nfbus:status. A finding for each group from which no packet has come since the host
// started, once that is 10 minutes ago.
[[nodiscard]] std::vector<InstanceFinding> find_quiet_groups(std::string_view status);

}  // namespace nfbus::host
