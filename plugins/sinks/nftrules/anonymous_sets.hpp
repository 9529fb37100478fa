// The sets without a name that belong to one rule. The kernel refuses to use one twice, so a rule that takes another's
// place needs its sets anew in the same batch.
#pragma once

#include "netlink.hpp"
#include "ruleset.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace nftrules {

// Appends to `batch` what makes the rule's anonymous sets again, and returns its expressions with the new ones in the
// places of the old ones. next_id: numbers sets within a batch; nft's own begin at 1.
nfbus::Result<std::string> renew_anonymous_sets(Netlink& netlink, const Rule& rule, std::uint32_t& next_id,
                                                std::vector<Message>& batch);

}  // namespace nftrules
