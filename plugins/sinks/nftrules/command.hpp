// `nfbus nft`: plan, apply, revert, status, confirm.
#pragma once

#include <nfbus/plugin.hpp>

namespace nftrules {

// Returns the exit status: 0 done, 1 failed, 2 wrong usage; of plan 0 no change, 1 changes, 2 an error.
int nft(nfbus::Host host, nfbus::CommandCall call);

}  // namespace nftrules
