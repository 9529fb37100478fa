#include "listing.hpp"

#include "attributes.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <utility>

namespace nftrules {

using nfbus::Result;

Result<std::vector<Table>> list_tables(Netlink& netlink) {
  auto dumped = netlink.dump(NFT_MSG_GETTABLE, NFPROTO_UNSPEC);
  if (!dumped) return dumped.error();
  std::vector<Table> tables;
  for (const Message& message : *dumped) {
    const Attributes attributes(message.attributes);
    Table table;
    table.name = {message.family, std::string(attributes.find(NFTA_TABLE_NAME).text())};
    table.flags = attributes.find(NFTA_TABLE_FLAGS).be32();
    if (attributes.has(NFTA_TABLE_OWNER)) table.owner = attributes.find(NFTA_TABLE_OWNER).be32();
    tables.push_back(std::move(table));
  }
  return tables;
}

Result<std::vector<Rule>> list_rules(Netlink& netlink, const std::optional<TableName>& table) {
  AttributeWriter narrow;
  if (table) narrow.text(NFTA_RULE_TABLE, table->name);
  const std::uint8_t family = table ? table->family : std::uint8_t{NFPROTO_UNSPEC};
  auto dumped = netlink.dump(NFT_MSG_GETRULE, family, narrow.bytes());
  if (!dumped) return dumped.error();
  std::vector<Rule> rules;
  for (const Message& message : *dumped) {
    if (message.type == NFT_MSG_NEWRULE) rules.push_back(rule_of(message));
  }
  return rules;
}

}  // namespace nftrules
