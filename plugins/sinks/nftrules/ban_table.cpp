#include "ban_table.hpp"

#include "attributes.hpp"
#include "compiler.hpp"
#include "listing.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

constexpr std::array<std::uint8_t, 2> kFamilies = {NFPROTO_IPV4, NFPROTO_IPV6};
constexpr std::int32_t kDropPriority = -310;   // before raw (-300), and so before conntrack takes room for it
constexpr std::int32_t kCountPriority = -140;  // behind conntrack (-200) and mangle (-150): `ct state` is known
constexpr const char* kBanned = "banned";
constexpr const char* kCounted = "counted";
constexpr std::uint32_t kFirstSetId = 1'000'000;  // above those that nft numbers

TableName own_name() { return {NFPROTO_INET, std::string(kBanTable)}; }

SetShape allowed_shape(std::uint8_t family) {
  return {own_name(), family == NFPROTO_IPV4 ? "allowed.v4" : "allowed.v6", family, Milliseconds(0), 0, true};
}

Message make_chain(const char* name, std::int32_t priority) {
  AttributeWriter hook;
  hook.be32(NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING).be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
  AttributeWriter out;
  out.text(NFTA_CHAIN_TABLE, kBanTable)
      .text(NFTA_CHAIN_NAME, name)
      .nested(NFTA_CHAIN_HOOK, hook.bytes())
      .be32(NFTA_CHAIN_POLICY, NF_ACCEPT)
      .text(NFTA_CHAIN_TYPE, "filter");
  return {NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_INET, std::move(out).bytes(),
          std::string("make the chain inet nfbus_bans ") + name};
}

bool has_rate(const BanSet& set) { return set.rate_packets != 0; }

std::string mask_text(std::uint8_t family, std::uint8_t prefix) {
  Network all{family, family == NFPROTO_IPV4 ? kMostBitsV4 : kMostBitsV6, {}};
  if (prefix == all.prefix) return {};
  const std::uint8_t full = all.prefix;
  all.bytes.fill(0xff);
  Network mask = widened(all, prefix);
  mask.prefix = full;
  return " & " + to_string(mask);
}

// It looks at what the kernel would run, not at the text.
std::string why_not_count(const Message& message, const BanSet& set, std::uint8_t family, std::string_view table) {
  const Rule rule = rule_of(message);
  if (rule.table.name != table || rule.chain != kCounted) return "it is more than a match";
  std::vector<std::string> filled;
  for (const Attribute& item : Attributes(rule.expressions)) {
    const Attributes expression(item.payload);
    const std::string_view name = expression.find(NFTA_EXPR_NAME).text();
    const Attributes data(expression.find(NFTA_EXPR_DATA).payload);
    if (name == "dynset") {
      filled.emplace_back(data.find(NFTA_DYNSET_SET_NAME).text());
    } else if (!only_looks(name, expression.find(NFTA_EXPR_DATA).payload)) {
      return "it does more than match: " + std::string(name);
    }
  }
  if (rule.has_verdict || filled != std::vector{rate_set_name(set, family), set_name(set, family)}) {
    return "it is more than a match";
  }
  return {};
}

// Compiles rules that count, and the sets without names that they look things up in. Errors name what is wrong.
Result<std::vector<Message>> compile_rules(const std::vector<CountRule>& wanted) {
  const std::string table = std::string(kBanTable) + "_compiled_" + std::to_string(::getpid());
  auto messages = compile(count_rules_text(wanted, table));
  if (!messages) return messages.error();
  std::vector<Message> out;
  std::size_t rules = 0;
  for (Message& message : *messages) {
    const bool is_nameless_set =
        message.type == NFT_MSG_NEWSET && Attributes(message.attributes).find(NFTA_SET_NAME).text().starts_with("__");
    message.flags = NLM_F_CREATE;
    message.what = "make the rules that fill sets of inet nfbus_bans";
    if (message.type == NFT_MSG_NEWRULE) {
      if (rules == wanted.size()) return Error{Code::invalid, "it is more than a match"};
      const CountRule& rule = wanted[rules++];
      const std::string why_not = why_not_count(message, *rule.set, rule.family, table);
      if (!why_not.empty()) return Error{Code::invalid, why_not};
      message.flags |= NLM_F_APPEND;
    } else if (!is_nameless_set && message.type != NFT_MSG_NEWSETELEM) {
      continue;
    }
    message.attributes = about_table(message.attributes, kBanTable);
    out.push_back(std::move(message));
  }
  if (rules != wanted.size()) return Error{Code::invalid, "it is no match"};
  return out;
}

// All rules that can be: one that a family does not have ("icmp type") is that of the other alone. `trouble` says of
// which sets there is none. At once in the end: nft numbers the sets without names.
Result<std::vector<Message>> compile_counting(const std::vector<BanSet>& sets, std::string& trouble) {
  std::vector<CountRule> good;
  for (const BanSet& set : sets) {
    if (!has_rate(set)) continue;
    const std::size_t before = good.size();
    std::string why_not;
    for (const std::uint8_t family : kFamilies) {
      const auto alone = compile_rules({{&set, family}});
      if (alone) {
        good.push_back({&set, family});
      } else if (why_not.empty()) {
        why_not = alone.error().text;
      }
    }
    if (good.size() != before) continue;
    trouble += (trouble.empty() ? "" : "; ") + set.key + ": no packets ban: " + why_not + " (" + set.when + ')';
  }
  if (good.empty()) return std::vector<Message>();
  return compile_rules(good);
}

Error somebody_elses(const Table& table) {
  return {Code::busy, "the table inet nfbus_bans is there already, and is " +
                          (table.owner ? "owned by port " + std::to_string(*table.owner) + ": another nfbus runs here"
                                       : std::string("not nfbus's: remove it, or give each ban a table of yours"))};
}

}  // namespace

SetShape shape_of(const BanSet& set, std::uint8_t family) {
  return {
      set.table.value_or(own_name()), set_name(set, family), family, std::chrono::seconds(set.ttl_s), set.max, false};
}

// A counter that has not been used for as long as it takes to be full again is as good as none.
SetShape rate_shape_of(const BanSet& set, std::uint8_t family) {
  Milliseconds unit = std::chrono::seconds(1);
  if (set.rate_unit == "minute") unit = std::chrono::minutes(1);
  if (set.rate_unit == "hour") unit = std::chrono::hours(1);
  if (set.rate_unit == "day") unit = std::chrono::hours(24);
  return {own_name(), rate_set_name(set, family), family, 2 * unit, set.max, false};
}

std::string count_rules_text(const std::vector<CountRule>& counted, std::string_view table) {
  std::string declared;
  std::string rules;
  for (const auto& [counted_set, family] : counted) {
    const BanSet& set = *counted_set;
    const bool is_v4 = family == NFPROTO_IPV4;
    for (const std::string& name : {set_name(set, family), rate_set_name(set, family)}) {
      declared.append("  set ").append(name).append(is_v4 ? " { type ipv4_addr" : " { type ipv6_addr");
      declared += "; flags dynamic,timeout; timeout 1h; size 65536; }\n";
    }
    const std::string source = (is_v4 ? "ip saddr" : "ip6 saddr") + mask_text(family, set.prefix(family));
    const std::string packets = std::to_string(set.rate_packets);
    // As many at once as in the whole unit: one more is too many.
    const auto add = [&](std::initializer_list<std::string_view> texts) {
      for (const std::string_view text : texts) rules += text;
    };
    add({"    ", set.when, " update @", rate_set_name(set, family), " { ", source, " limit rate over ", packets, "/",
         set.rate_unit, " burst ", packets, " packets } update @", set_name(set, family), " { ", source, " timeout ",
         std::to_string(set.ttl_s), "s }\n"});
  }
  return "table inet " + std::string(table) + " {\n" + declared + "  chain " + kCounted + " {\n" + rules + "  }\n}\n";
}

Result<MadeBanTable> make_ban_table(Netlink& netlink, const std::vector<BanSet>& sets, const AllowList& allow) {
  auto tables = list_tables(netlink);
  if (!tables) return tables.error();
  const auto there = std::ranges::find(*tables, own_name(), &Table::name);
  if (there != tables->end()) {
    if (there->owner != netlink.port()) return somebody_elses(*there);
    return MadeBanTable{};
  }
  MadeBanTable made{true, {}};
  AttributeWriter table;
  table.text(NFTA_TABLE_NAME, kBanTable).be32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
  std::vector<Message> batch = {
      {NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, NFPROTO_INET, table.bytes(), "make the table inet nfbus_bans"}};
  std::uint32_t id = kFirstSetId;
  const auto append = [&](std::vector<Message> more) { std::ranges::move(more, std::back_inserter(batch)); };
  for (const std::uint8_t family : kFamilies) {
    batch.push_back(make_set(allowed_shape(family), id++));
    append(exchange_ranges(allowed_shape(family), allow.ranges(family)));
    for (const BanSet& set : sets) {
      if (set.table) continue;
      batch.push_back(make_set(shape_of(set, family), id++));
      if (has_rate(set)) batch.push_back(make_set(rate_shape_of(set, family), id++));
    }
  }
  const auto let_allowed_pass = [&](const char* chain) {
    for (const std::uint8_t family : kFamilies) {
      const SetShape allowed = allowed_shape(family);
      const std::uint8_t all = family == NFPROTO_IPV4 ? kMostBitsV4 : kMostBitsV6;
      batch.push_back(verdict_rule(own_name(), chain, allowed.name, family, all, NFT_RETURN));
    }
  };
  batch.push_back(make_chain(kBanned, kDropPriority));
  let_allowed_pass(kBanned);
  for (const BanSet& set : sets) {
    if (set.table) continue;
    for (const std::uint8_t family : kFamilies) {
      batch.push_back(verdict_rule(own_name(), kBanned, set_name(set, family), family, set.prefix(family), NF_DROP));
    }
  }
  if (std::ranges::any_of(sets, has_rate)) {
    batch.push_back(make_chain(kCounted, kCountPriority));
    let_allowed_pass(kCounted);
    auto counting = compile_counting(sets, made.trouble);
    if (!counting) return counting.error();
    append(std::move(counting).value());
  }
  if (auto done = netlink.commit(batch, std::nullopt); !done) return done.error();
  return made;
}

Result<void> exchange_allowed(Netlink& netlink, const AllowList& allow) {
  std::vector<Message> batch;
  for (const std::uint8_t family : kFamilies) {
    std::ranges::move(exchange_ranges(allowed_shape(family), allow.ranges(family)), std::back_inserter(batch));
  }
  return netlink.commit(batch, std::nullopt);
}

}  // namespace nftrules
