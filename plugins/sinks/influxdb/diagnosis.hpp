// What `nfbus doctor` finds of an instance: whether its servers answer, agree on the time, and have what it writes to.
#pragma once

#include "../../lib/http/client.hpp"
#include "settings.hpp"

#include <nfbus/plugin.hpp>

namespace influx {

// [control] Connects to each place, a few seconds long at most. Writes nothing.
void diagnose(const Settings& settings, http::Client& client, nfbus::Findings findings);

}  // namespace influx
