// What nfbus doctor finds.
#pragma once

#include "../../lib/http/client.hpp"
#include "settings.hpp"

#include <nfbus/plugin.hpp>

namespace webhook {

// [control] Reads the secrets and connects to the server, but sends nothing: whatever it is sent may do something
// there.
void diagnose(const Settings& settings, http::Client& client, nfbus::Findings findings);

}  // namespace webhook
