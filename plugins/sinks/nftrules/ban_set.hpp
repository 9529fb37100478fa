// Sets of banned networks as nf_tables has them (linux/netfilter/nf_tables.h): plain sets of addresses, each network as
// its first address, so that a ban renews and counts as exactly one element. Rules look up the masked address.
#pragma once

#include "ban_network.hpp"
#include "ban_settings.hpp"
#include "netlink.hpp"
#include "ruleset.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nftrules {

using Milliseconds = std::chrono::milliseconds;

// A set as it is wanted.
struct SetShape {
  TableName table;
  std::string name;
  std::uint8_t family = 0;  // of its elements
  Milliseconds timeout{0};  // 0: elements stay
  std::uint32_t max = 0;    // 0: any number
  bool is_interval = false;
};

// Which set it is: one that is made anew is another, though it may have the same number in its table.
struct SetIdentity {
  std::uint64_t table_handle = 0;
  std::uint64_t handle = 0;
  friend bool operator==(const SetIdentity&, const SetIdentity&) = default;
};

// A set as it is.
struct SetState {
  std::string name;
  SetIdentity identity;
  std::uint32_t flags = 0;     // NFT_SET_*
  std::uint32_t key_type = 0;  // nft's number of it: 7 ipv4_addr, 8 ipv6_addr
};

struct Element {
  std::string key;
  Milliseconds left{0};
  bool is_permanent = false;  // it has no time at all, and none is left
  std::string comment;
};

// One to add: for `time`, anew if it is there already.
struct NewElement {
  std::string key;
  Milliseconds time{0};
  std::string comment;  // at most kMostComment bytes
};
inline constexpr std::size_t kMostComment = 120;

std::string set_name(const BanSet& set, std::uint8_t family);       // "ssh_v4"
std::string rate_set_name(const BanSet& set, std::uint8_t family);  // "ssh.rate_v4": what is counted there

// Of the sets of one table; none when the table is not there.
nfbus::Result<std::vector<SetState>> list_sets(Netlink& netlink, const TableName& table);
// What has not expired.
nfbus::Result<std::vector<Element>> list_elements(Netlink& netlink, const TableName& table, const std::string& set);
// Why bans cannot stand in a set that somebody else made; empty: they can.
std::string why_unfit(const SetState& set, std::uint8_t family);

// Why no set may be made in a table; empty: one may.
nfbus::Result<std::string> why_no_set_in(Netlink& netlink, const TableName& table);

// id: of the set within its batch, where rules of the same batch look it up.
Message make_set(const SetShape& shape, std::uint32_t id);
Message add_elements(const SetShape& set, std::span<const NewElement> elements);
Message remove_element(const SetShape& set, const std::string& key);
// All that an interval set is to hold; what it held goes.
std::vector<Message> exchange_ranges(const SetShape& set,
                                     const std::vector<std::pair<std::string, std::string>>& ranges);

// What a rule does with packets from a network of a set: NF_DROP, NFT_RETURN.
Message verdict_rule(const TableName& table, const std::string& chain, const std::string& set, std::uint8_t family,
                     std::uint8_t prefix, std::int32_t verdict);

// Whether this kernel gives an element that is there a new time by one message (since 6.12). It is tried in a table
// that is gone again when this returns.
nfbus::Result<bool> renews_by_one_message(Netlink& netlink);

}  // namespace nftrules
