// The table of our own for bans, `inet nfbus_bans`: its sets, rules that drop what is in them, and rules that fill them
// in the packet path. It is owned by the socket that makes it (NFT_TABLE_F_OWNER): it ends with the process, and no
// reload of others touches it.
//
//   chain banned  (prerouting, before raw): @allowed.v4 return; saddr & MASK @NAME_v4 drop
//   chain counted (prerouting, behind conntrack): @allowed.v4 return; WHEN, over the rate: saddr & MASK into @NAME_v4
#pragma once

#include "allow_list.hpp"
#include "ban_set.hpp"
#include "ban_settings.hpp"
#include "netlink.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

// Where a set's elements go.
SetShape shape_of(const BanSet& set, std::uint8_t family);
// What is counted of a set with a rate.
SetShape rate_shape_of(const BanSet& set, std::uint8_t family);

struct MadeBanTable {
  bool is_new = false;
  std::string trouble;  // which sets are filled by no packets, since `when` is no match of nft's or more; empty: none
};

// Makes the table in one transaction, unless it is there and this socket's. Errors: a table of this name is somebody
// else's.
nfbus::Result<MadeBanTable> make_ban_table(Netlink& netlink, const std::vector<BanSet>& sets, const AllowList& allow);

// What the rules let pass follows the list.
nfbus::Result<void> exchange_allowed(Netlink& netlink, const AllowList& allow);

// A rule that counts: of packets of one family.
struct CountRule {
  const BanSet* set = nullptr;
  std::uint8_t family = 0;
};

// For the compiler: the rules of the chain `counted`, in a table of that name.
std::string count_rules_text(const std::vector<CountRule>& counted, std::string_view table);

}  // namespace nftrules
