// What of a ruleset matters to its log rules, read from netlink dumps (linux/netfilter/nf_tables.h). Expressions are
// kept as bytes, whatever they are: what is written back is what was read.
#pragma once

#include "message.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

// "inet filter": a family (ip, ip6, inet, arp, bridge, netdev) and a name.
struct TableName {
  std::uint8_t family = 0;  // NFPROTO_*
  std::string name;

  friend bool operator==(const TableName&, const TableName&) = default;
};

// Without a family it is ip, as nft has it. Errors name what is wrong.
nfbus::Result<TableName> table_name_of(std::string_view text);
std::string to_string(const TableName& table);
std::string_view family_name(std::uint8_t family);

struct Table {
  TableName name;
  std::uint32_t flags = 0;             // NFT_TABLE_F_*
  std::optional<std::uint32_t> owner;  // the port of the socket that it ends with
};

// The statement `log`; what is not there is none.
struct LogStatement {
  std::string prefix = {};
  std::optional<std::uint16_t> group = {};
  std::optional<std::uint32_t> snaplen = {};
  std::optional<std::uint16_t> queue_threshold = {};
  std::optional<std::uint32_t> level = {};
  std::optional<std::uint32_t> flags = {};

  friend bool operator==(const LogStatement&, const LogStatement&) = default;
};

struct Rule {
  TableName table;
  std::string chain;
  std::uint64_t handle = 0;
  std::string expressions;  // the payload of NFTA_RULE_EXPRESSIONS
  std::string userdata;     // as it is
  std::string comment;      // out of it
  std::vector<LogStatement> logs;
  std::vector<std::string> names;           // its expressions: "meta", "cmp", "log"
  std::vector<std::string> mentions;        // "@set", "jump chain", "goto chain", as nft writes them
  std::vector<std::string> anonymous_sets;  // "__set0", "__map1": they belong to this rule alone
  bool has_verdict = false;
};

// Reads one rule out of a NFT_MSG_NEWRULE.
Rule rule_of(const Message& message);

// The payload of NFTA_RULE_EXPRESSIONS with `now` in place of the log statement number `index`.
std::string with_log(std::string_view expressions, std::size_t index, const LogStatement& now);
// The bytes of the attributes of one log expression, and back.
std::string log_attributes(const LogStatement& log);
LogStatement log_statement_of(std::string_view attributes_of_log);
// Whether an expression, with the bytes of NFTA_EXPR_DATA, looks at packets, counts or limits, and writes nothing.
bool only_looks(std::string_view name, std::string_view data);
// As nft writes it: log prefix "drop:input " group 1.
std::string to_string(const LogStatement& log);

}  // namespace nftrules
