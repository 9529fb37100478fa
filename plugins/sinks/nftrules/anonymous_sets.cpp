#include "anonymous_sets.hpp"

#include "attributes.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

// Of a set that is listed, what makes it again; the rest is the kernel's own count of it.
constexpr std::array<std::uint16_t, 9> kKept = {NFTA_SET_FLAGS,     NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN,
                                                NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN, NFTA_SET_POLICY,
                                                NFTA_SET_DESC,      NFTA_SET_USERDATA, NFTA_SET_OBJ_TYPE};

struct NewSet {
  std::string name;  // "__set%d": the kernel chooses the number
  std::uint32_t id = 0;
};

std::string name_to_choose(std::string_view name) {
  return std::string(name.substr(0, name.find_last_not_of("0123456789") + 1)) + "%d";
}

Result<NewSet> make_again(Netlink& netlink, const Rule& rule, const std::string& name, std::uint32_t id,
                          std::vector<Message>& batch) {
  const NewSet fresh{name_to_choose(name), id};
  AttributeWriter of_table;
  of_table.text(NFTA_SET_TABLE, rule.table.name);
  auto sets = netlink.dump(NFT_MSG_GETSET, rule.table.family, of_table.bytes());
  if (!sets) return sets.error();
  const auto found = std::ranges::find_if(
      *sets, [&](const Message& set) { return Attributes(set.attributes).find(NFTA_SET_NAME).text() == name; });
  if (found == sets->end()) return Error{Code::busy, "others changed the ruleset meanwhile"};
  AttributeWriter set;
  set.text(NFTA_SET_TABLE, rule.table.name).text(NFTA_SET_NAME, fresh.name).be32(NFTA_SET_ID, id);
  for (const Attribute& attribute : Attributes(found->attributes)) {
    if (std::ranges::find(kKept, attribute.type) != kKept.end()) set.raw(attribute.whole);
  }
  const std::string what = "make the set " + name + " of " + to_string(rule.table) + " again";
  batch.push_back({NFT_MSG_NEWSET, NLM_F_CREATE, rule.table.family, std::move(set).bytes(), what});

  AttributeWriter of_set;
  of_set.text(NFTA_SET_ELEM_LIST_TABLE, rule.table.name).text(NFTA_SET_ELEM_LIST_SET, name);
  auto lists = netlink.dump(NFT_MSG_GETSETELEM, rule.table.family, of_set.bytes());
  if (!lists) return lists.error();
  for (const Message& list : *lists) {
    const Attribute elements = Attributes(list.attributes).find(NFTA_SET_ELEM_LIST_ELEMENTS);
    if (elements.payload.empty()) continue;
    AttributeWriter writer;
    writer.text(NFTA_SET_ELEM_LIST_TABLE, rule.table.name)
        .text(NFTA_SET_ELEM_LIST_SET, fresh.name)
        .be32(NFTA_SET_ELEM_LIST_SET_ID, id)
        .raw(elements.whole);
    batch.push_back({NFT_MSG_NEWSETELEM, NLM_F_CREATE, rule.table.family, std::move(writer).bytes(), what});
  }
  return fresh;
}

// The attributes of a lookup with another set.
std::string look_into(std::string_view lookup, const NewSet& set) {
  AttributeWriter out;
  for (const Attribute& attribute : Attributes(lookup)) {
    if (attribute.type == NFTA_LOOKUP_SET_ID) continue;
    if (attribute.type == NFTA_LOOKUP_SET) {
      out.text(NFTA_LOOKUP_SET, set.name).be32(NFTA_LOOKUP_SET_ID, set.id);
    } else {
      out.raw(attribute.whole);
    }
  }
  return std::move(out).bytes();
}

}  // namespace

Result<std::string> renew_anonymous_sets(Netlink& netlink, const Rule& rule, std::uint32_t& next_id,
                                         std::vector<Message>& batch) {
  if (rule.anonymous_sets.empty()) return rule.expressions;
  std::map<std::string, NewSet, std::less<>> renewed;
  for (const std::string& name : rule.anonymous_sets) {
    if (renewed.contains(name)) continue;
    auto made = make_again(netlink, rule, name, next_id++, batch);
    if (!made) return made.error();
    renewed.emplace(name, std::move(made).value());
  }
  AttributeWriter out;
  for (const Attribute& element : Attributes(rule.expressions)) {
    const Attributes expression(element.payload);
    const std::string_view data = expression.find(NFTA_EXPR_DATA).payload;
    const auto set = expression.find(NFTA_EXPR_NAME).text() == "lookup"
                         ? renewed.find(Attributes(data).find(NFTA_LOOKUP_SET).text())
                         : renewed.end();
    if (set == renewed.end()) {
      out.raw(element.whole);
      continue;
    }
    AttributeWriter lookup;
    lookup.text(NFTA_EXPR_NAME, "lookup").nested(NFTA_EXPR_DATA, look_into(data, set->second));
    out.nested(NFTA_LIST_ELEM, lookup.bytes());
  }
  return std::move(out).bytes();
}

}  // namespace nftrules
