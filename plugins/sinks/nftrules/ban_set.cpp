#include "ban_set.hpp"

#include "attributes.hpp"
#include "listing.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>

namespace nftrules {
namespace {

using nfbus::Result;

// nft's numbers for what sets hold (nftables' datatype.h), which the kernel only keeps.
constexpr std::uint32_t kIpv4Address = 7;
constexpr std::uint32_t kIpv6Address = 8;
// libnftnl's types of user data: a byte of type, one of length, and the text with its NUL.
constexpr char kSetComment = 7;
constexpr char kElementComment = 0;
constexpr std::string_view kOurs = "nfbus";

constexpr std::uint32_t kTimed = NFT_SET_TIMEOUT | NFT_SET_EVAL;  // rules may update them, too
constexpr std::uint32_t kInterval = NFT_SET_INTERVAL;
constexpr std::uint32_t kRegister = NFT_REG_1;
constexpr std::uint32_t kSourceV4 = 12;       // RFC 791 section 3.1
constexpr std::uint32_t kSourceV6 = 8;        // RFC 8200 section 3
constexpr std::size_t kMostPerMessage = 100;  // the list is one attribute, of 64 KiB at most

std::string user_data(char type, std::string_view text) {
  std::string out;
  out += type;
  out += static_cast<char>(text.size() + 1);
  out.append(text);
  out += '\0';
  return out;
}

std::string comment_in(std::string_view data) {
  while (data.size() >= 2) {
    const std::size_t size = static_cast<std::uint8_t>(data[1]);
    if (size > data.size() - 2) return {};
    if (data[0] == kElementComment) {
      const std::string_view text = data.substr(2, size);
      return std::string(text.substr(0, text.find('\0')));
    }
    data.remove_prefix(2 + size);
  }
  return {};
}

std::string address_of(const TableName& table, const std::string& set) {
  AttributeWriter out;
  out.text(NFTA_SET_TABLE, table.name).text(NFTA_SET_NAME, set);
  return std::move(out).bytes();
}

std::string key_attribute(const std::string& key) {
  AttributeWriter value;
  value.put(NFTA_DATA_VALUE, key);
  AttributeWriter out;
  out.nested(NFTA_SET_ELEM_KEY, value.bytes());
  return std::move(out).bytes();
}

Message elements_message(std::uint16_t type, std::uint16_t flags, const SetShape& set, const std::string& list,
                         std::string what) {
  AttributeWriter out;
  out.text(NFTA_SET_ELEM_LIST_TABLE, set.table.name).text(NFTA_SET_ELEM_LIST_SET, set.name);
  if (!list.empty()) out.nested(NFTA_SET_ELEM_LIST_ELEMENTS, list);
  return {type, flags, set.table.family, std::move(out).bytes(), std::move(what)};
}

// Appends an expression to a list of them.
void add_expression(AttributeWriter& list, std::string_view name, const AttributeWriter& data) {
  AttributeWriter expression;
  expression.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, data.bytes());
  list.nested(NFTA_LIST_ELEM, expression.bytes());
}

std::string value_of(std::string_view bytes) {
  AttributeWriter out;
  out.put(NFTA_DATA_VALUE, bytes);
  return std::move(out).bytes();
}

}  // namespace

std::string set_name(const BanSet& set, std::uint8_t family) {
  return set.name + (family == NFPROTO_IPV4 ? "_v4" : "_v6");
}

std::string rate_set_name(const BanSet& set, std::uint8_t family) {
  return set.name + (family == NFPROTO_IPV4 ? ".rate_v4" : ".rate_v6");
}

Result<std::vector<SetState>> list_sets(Netlink& netlink, const TableName& table) {
  const auto tables = netlink.dump(NFT_MSG_GETTABLE, table.family);
  if (!tables) return tables.error();
  std::uint64_t table_handle = 0;
  for (const Message& message : *tables) {
    const Attributes attributes(message.attributes);
    if (message.family == table.family && attributes.find(NFTA_TABLE_NAME).text() == table.name) {
      table_handle = attributes.find(NFTA_TABLE_HANDLE).be64();
    }
  }
  AttributeWriter of_table;
  of_table.text(NFTA_SET_TABLE, table.name);
  auto listed = netlink.dump(NFT_MSG_GETSET, table.family, of_table.bytes());
  if (!listed) return listed.error();
  std::vector<SetState> out;
  for (const Message& message : *listed) {
    const Attributes attributes(message.attributes);
    if (message.family != table.family || attributes.find(NFTA_SET_TABLE).text() != table.name) continue;
    out.push_back({std::string(attributes.find(NFTA_SET_NAME).text()),
                   {table_handle, attributes.find(NFTA_SET_HANDLE).be64()},
                   attributes.find(NFTA_SET_FLAGS).be32(),
                   attributes.find(NFTA_SET_KEY_TYPE).be32()});
  }
  return out;
}

Result<std::vector<Element>> list_elements(Netlink& netlink, const TableName& table, const std::string& set) {
  auto listed = netlink.dump(NFT_MSG_GETSETELEM, table.family, address_of(table, set));
  if (!listed) return listed.error();
  std::vector<Element> out;
  for (const Message& message : *listed) {
    for (const Attribute& item : Attributes(Attributes(message.attributes).find(NFTA_SET_ELEM_LIST_ELEMENTS).payload)) {
      const Attributes element(item.payload);
      const Attributes key(element.find(NFTA_SET_ELEM_KEY).payload);
      out.push_back({std::string(key.find(NFTA_DATA_VALUE).payload),
                     Milliseconds(element.find(NFTA_SET_ELEM_EXPIRATION).be64()),
                     !element.has(NFTA_SET_ELEM_EXPIRATION), comment_in(element.find(NFTA_SET_ELEM_USERDATA).payload)});
    }
  }
  return out;
}

std::string why_unfit(const SetState& set, std::uint8_t family) {
  const bool is_v4 = family == NFPROTO_IPV4;
  constexpr std::uint32_t kOthers =
      NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_MAP | NFT_SET_OBJECT | NFT_SET_CONCAT;
  if (set.key_type == (is_v4 ? kIpv4Address : kIpv6Address) && (set.flags & NFT_SET_TIMEOUT) != 0 &&
      (set.flags & kOthers) == 0) {
    return {};
  }
  return "the set " + set.name + " is there, and not as bans need it: declare it { type " +
         (is_v4 ? "ipv4_addr" : "ipv6_addr") + "; flags timeout; }, or leave it to nfbus";
}

Result<std::string> why_no_set_in(Netlink& netlink, const TableName& table) {
  const auto tables = list_tables(netlink);
  if (!tables) return tables.error();
  const auto found = std::ranges::find(*tables, table, &Table::name);
  const std::string name = to_string(table);
  if (found == tables->end()) return "there is no table " + name + " to make it in";
  if (found->owner && *found->owner != netlink.port()) {
    return "the table " + name + " has an owner, port " + std::to_string(*found->owner) + ", which alone may change it";
  }
  if (table.family == NFPROTO_INET || table.family == NFPROTO_NETDEV) return std::string();
  const auto rules = list_rules(netlink, table);
  if (!rules) return rules.error();
  const auto is_xt = [](const std::string& expression) { return expression == "match" || expression == "target"; };
  const bool is_iptables =
      std::ranges::any_of(*rules, [&](const Rule& rule) { return std::ranges::any_of(rule.names, is_xt); });
  return is_iptables ? "the table " + name + " is iptables-nft's, and is left alone: leave out table, or name another"
                     : std::string();
}

Message make_set(const SetShape& shape, std::uint32_t id) {
  const bool is_v4 = shape.family == NFPROTO_IPV4;
  const bool is_timed = shape.timeout.count() != 0;
  AttributeWriter out;
  out.raw(address_of(shape.table, shape.name))
      .be32(NFTA_SET_FLAGS, (is_timed ? kTimed : 0U) | (shape.is_interval ? kInterval : 0U))
      .be32(NFTA_SET_KEY_TYPE, is_v4 ? kIpv4Address : kIpv6Address)
      .be32(NFTA_SET_KEY_LEN, is_v4 ? 4 : 16)
      .be32(NFTA_SET_ID, id);
  if (shape.max != 0) {
    AttributeWriter description;
    description.be32(NFTA_SET_DESC_SIZE, shape.max);
    out.nested(NFTA_SET_DESC, description.bytes());
  }
  if (is_timed) out.be64(NFTA_SET_TIMEOUT, static_cast<std::uint64_t>(shape.timeout.count()));
  out.put(NFTA_SET_USERDATA, user_data(kSetComment, kOurs));
  return {NFT_MSG_NEWSET, NLM_F_CREATE, shape.table.family, std::move(out).bytes(),
          "make the set " + to_string(shape.table) + ' ' + shape.name};
}

Message add_elements(const SetShape& set, std::span<const NewElement> elements) {
  AttributeWriter list;
  for (const NewElement& element : elements) {
    AttributeWriter out;
    out.raw(key_attribute(element.key));
    if (element.time.count() != 0) {
      const auto time_ms = static_cast<std::uint64_t>(element.time.count());
      out.be64(NFTA_SET_ELEM_TIMEOUT, time_ms).be64(NFTA_SET_ELEM_EXPIRATION, time_ms);
    }
    if (!element.comment.empty()) {
      out.put(NFTA_SET_ELEM_USERDATA,
              user_data(kElementComment, std::string_view(element.comment).substr(0, kMostComment)));
    }
    list.nested(NFTA_LIST_ELEM, out.bytes());
  }
  return elements_message(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, list.bytes(),
                          "add to the set " + to_string(set.table) + ' ' + set.name);
}

Message remove_element(const SetShape& set, const std::string& key) {
  AttributeWriter list;
  list.nested(NFTA_LIST_ELEM, key_attribute(key));
  return elements_message(NFT_MSG_DELSETELEM, 0, set, list.bytes(),
                          "remove from the set " + to_string(set.table) + ' ' + set.name);
}

std::vector<Message> exchange_ranges(const SetShape& set,
                                     const std::vector<std::pair<std::string, std::string>>& ranges) {
  std::vector<Message> out;
  out.push_back(elements_message(NFT_MSG_DELSETELEM, 0, set, {}, "empty the set " + set.name));
  AttributeWriter list;
  std::size_t count = 0;
  const auto send = [&] {
    if (count != 0)
      out.push_back(elements_message(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, list.bytes(), "fill the set " + set.name));
    list = {};
    count = 0;
  };
  for (const auto& [first, last] : ranges) {
    list.nested(NFTA_LIST_ELEM, key_attribute(first));
    // A range ends where the next address begins; one to the last of all addresses has no end.
    std::string end = last;
    std::size_t at = end.size();
    while (at != 0 && ++end[at - 1] == '\0') --at;
    if (at != 0) {
      AttributeWriter element;
      element.raw(key_attribute(end)).be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
      list.nested(NFTA_LIST_ELEM, element.bytes());
    }
    if (++count == kMostPerMessage) send();
  }
  send();
  return out;
}

Message verdict_rule(const TableName& table, const std::string& chain, const std::string& set, std::uint8_t family,
                     std::uint8_t prefix, std::int32_t verdict) {
  const bool is_v4 = family == NFPROTO_IPV4;
  const std::uint32_t size_bytes = is_v4 ? 4 : 16;
  AttributeWriter list;
  AttributeWriter protocol;
  protocol.be32(NFTA_META_DREG, kRegister).be32(NFTA_META_KEY, NFT_META_NFPROTO);
  add_expression(list, "meta", protocol);
  AttributeWriter is_family;
  const char number = static_cast<char>(family);
  is_family.be32(NFTA_CMP_SREG, kRegister).be32(NFTA_CMP_OP, NFT_CMP_EQ).nested(NFTA_CMP_DATA, value_of({&number, 1}));
  add_expression(list, "cmp", is_family);
  AttributeWriter source;
  source.be32(NFTA_PAYLOAD_DREG, kRegister)
      .be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER)
      .be32(NFTA_PAYLOAD_OFFSET, is_v4 ? kSourceV4 : kSourceV6)
      .be32(NFTA_PAYLOAD_LEN, size_bytes);
  add_expression(list, "payload", source);
  if (prefix < 8 * size_bytes) {
    Network all{family, static_cast<std::uint8_t>(8 * size_bytes), {}};
    all.bytes.fill(0xff);
    AttributeWriter mask;
    mask.be32(NFTA_BITWISE_SREG, kRegister)
        .be32(NFTA_BITWISE_DREG, kRegister)
        .be32(NFTA_BITWISE_LEN, size_bytes)
        .nested(NFTA_BITWISE_MASK, value_of(widened(all, prefix).key()))
        .nested(NFTA_BITWISE_XOR, value_of(std::string(size_bytes, '\0')));
    add_expression(list, "bitwise", mask);
  }
  AttributeWriter lookup;
  lookup.text(NFTA_LOOKUP_SET, set).be32(NFTA_LOOKUP_SREG, kRegister);
  add_expression(list, "lookup", lookup);
  AttributeWriter code;
  code.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(verdict));
  AttributeWriter data;
  data.nested(NFTA_DATA_VERDICT, code.bytes());
  AttributeWriter immediate;
  immediate.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).nested(NFTA_IMMEDIATE_DATA, data.bytes());
  add_expression(list, "immediate", immediate);
  AttributeWriter rule;
  rule.text(NFTA_RULE_TABLE, table.name).text(NFTA_RULE_CHAIN, chain).nested(NFTA_RULE_EXPRESSIONS, list.bytes());
  return {NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table.family, std::move(rule).bytes(),
          "make a rule of the set " + set};
}

Result<bool> renews_by_one_message(Netlink& netlink) {
  constexpr Milliseconds kFirst{1'000'000};
  constexpr Milliseconds kThen{2'000'000};
  const TableName name{NFPROTO_INET, "nfbus_test_" + std::to_string(netlink.port())};
  const SetShape set{name, "test", NFPROTO_IPV4, kFirst, 2, false};
  AttributeWriter table;
  table.text(NFTA_TABLE_NAME, name.name).be32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
  const std::vector<NewElement> element = {{std::string(4, '\1'), kFirst, {}}};
  const std::vector<Message> first = {
      {NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, name.family, table.bytes(), "make a table to try sets in"},
      make_set(set, 1),
      add_elements(set, element)};
  if (auto made = netlink.commit(first, std::nullopt); !made) return made.error();
  const std::vector<Message> renewed = {add_elements(set, std::vector<NewElement>{{element[0].key, kThen, {}}})};
  auto done = netlink.commit(renewed, std::nullopt);
  const auto listed = list_elements(netlink, name, set.name);
  AttributeWriter gone;
  gone.text(NFTA_TABLE_NAME, name.name);
  const std::vector<Message> last = {
      {NFT_MSG_DELTABLE, 0, name.family, gone.bytes(), "remove the table that sets were tried in"}};
  if (auto removed = netlink.commit(last, std::nullopt); !removed) return removed.error();
  return done.ok() && listed.ok() && listed->size() == 1 && listed->front().left > kFirst;
}

}  // namespace nftrules
