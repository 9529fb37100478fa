// Folders of disk queues, looked at and not touched: those of sinks that are gone, those that a sink could not take.
#pragma once

#include "config/config.hpp"

#include <nfbus/result.hpp>

#include <string>
#include <vector>

namespace nfbus::host {

// [control] A sentence for each folder with events in it, beside those of the sinks and below /var/lib/nfbus/spill,
// that no sink of these has: whose it was, how much is in it, how old it is, and what to do. What the effective user
// cannot read is left out. Nothing is changed.
[[nodiscard]] std::vector<std::string> abandoned_spills(const std::vector<SinkConfig>& sinks);

// [control] What would keep each of these sinks from its disk queue: the folder is another sink's, or of another
// version.
[[nodiscard]] std::vector<Error> spill_troubles(const std::vector<SinkConfig>& sinks);

}  // namespace nfbus::host
