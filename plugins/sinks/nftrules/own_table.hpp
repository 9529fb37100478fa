// The table of our own, `inet nfbus`: base chains that log, for machines without a ruleset. It is owned by the socket
// that makes it (NFT_TABLE_F_OWNER): nobody else changes it, and it ends with the process.
#pragma once

#include "netlink.hpp"
#include "plan.hpp"
#include "settings.hpp"

#include <nfbus/result.hpp>

#include <string>
#include <vector>

namespace nftrules {

// Makes the table so that it has these hooks, in one transaction; with none it goes. Returns whether anything changed.
// Errors: a table of this name is somebody else's.
nfbus::Result<bool> make_own_table(Netlink& netlink, const std::vector<Hook>& hooks);

// The table in nft's language, for plans and for its compiler.
std::string own_table_text(const std::vector<Hook>& hooks, std::string_view name);

inline constexpr std::string_view kOwnTable = "nfbus";

}  // namespace nftrules
