// What the kernel's ruleset is now.
#pragma once

#include "netlink.hpp"
#include "ruleset.hpp"

#include <nfbus/result.hpp>

#include <optional>
#include <vector>

namespace nftrules {

nfbus::Result<std::vector<Table>> list_tables(Netlink& netlink);
// Of one table or, without a name, of all; in their order.
nfbus::Result<std::vector<Rule>> list_rules(Netlink& netlink, const std::optional<TableName>& table);

}  // namespace nftrules
