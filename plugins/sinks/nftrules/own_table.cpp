#include "own_table.hpp"

#include "attributes.hpp"
#include "compiler.hpp"
#include "insertion.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

// Behind the chains of a ruleset in the same hook (filter is 0, srcnat 100): what they drop is not logged as passed.
constexpr const char* kPriority = "110";

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out = "{ ";
  for (const std::string& name : names) out += (out.size() > 2 ? ", \"" : "\"") + name + '"';
  return out + " }";
}

// Whether the table's rules log as the hooks do, in their order. The rest of a hook never changes under a running part.
bool has_all(const std::vector<Rule>& rules, const std::vector<Hook>& hooks) {
  if (rules.size() != hooks.size()) return false;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const auto& logs = rules[i].logs;
    if (logs.size() != 1 || logs[0].prefix != hooks[i].prefix || logs[0].group != hooks[i].group) return false;
  }
  return true;
}

}  // namespace

std::string own_table_text(const std::vector<Hook>& hooks, std::string_view name) {
  std::string text = "table inet " + std::string(name) + " {\n";
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const Hook& hook = hooks[i];
    const bool is_ingress = hook.hook == "ingress";
    text += "  chain " + hook.hook + '_' + std::to_string(i) + " {\n    type filter hook " + hook.hook;
    if (is_ingress) text += " devices = " + quoted_list(hook.devices);
    text += std::string(" priority ") + kPriority + "; policy accept;\n    ";
    if (!is_ingress && !hook.devices.empty()) {
      text += (hook.is_outgoing ? "oifname " : "iifname ") + quoted_list(hook.devices) + ' ';
    }
    if (!hook.limit.empty()) text += "limit rate " + hook.limit + ' ';
    text += "log prefix \"" + hook.prefix + "\" group " + std::to_string(hook.group) + "\n  }\n";
  }
  return text + "}\n";
}

Result<bool> make_own_table(Netlink& netlink, const std::vector<Hook>& hooks) {
  const TableName name{NFPROTO_INET, std::string(kOwnTable)};
  auto tables = list_tables(netlink);
  if (!tables) return tables.error();
  const auto there = std::ranges::find(*tables, name, &Table::name);
  std::vector<Message> batch;
  if (there != tables->end()) {
    if (!there->owner || *there->owner != netlink.port()) {
      return Error{Code::busy,
                   "the table inet nfbus is there already, and is " +
                       (there->owner ? "owned by port " + std::to_string(*there->owner) + ": another nfbus runs here"
                                     : std::string("not nfbus's: rename it, or leave out [[sink.NAME.hook]]"))};
    }
    auto rules = list_rules(netlink, name);
    if (!rules) return rules.error();
    if (has_all(*rules, hooks)) return false;
    AttributeWriter gone;
    gone.text(NFTA_TABLE_NAME, kOwnTable);
    batch.push_back({NFT_MSG_DELTABLE, 0, NFPROTO_INET, std::move(gone).bytes(), "remove the table inet nfbus"});
  }
  if (hooks.empty()) {
    if (batch.empty()) return false;
  } else {
    // The compiler may not touch a table that is owned: it compiles one of another name.
    auto messages = compile(own_table_text(hooks, std::string(kOwnTable) + "_compiled_" + std::to_string(::getpid())));
    if (!messages) return messages.error();
    for (Message& message : *messages) {
      message.flags = NLM_F_CREATE;
      if (message.type == NFT_MSG_NEWRULE) message.flags |= NLM_F_APPEND;
      message.attributes = about_table(message.attributes, kOwnTable);
      message.what = "make the table inet nfbus";
      if (message.type == NFT_MSG_NEWTABLE) {
        AttributeWriter table;
        table.text(NFTA_TABLE_NAME, kOwnTable).be32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
        message.attributes = std::move(table).bytes();
      }
      if (message.type == NFT_MSG_NEWRULE) {
        if (const std::string why = why_not_log_only(rule_of(message)); !why.empty()) {
          return Error{Code::invalid, "the table inet nfbus is not made: " + why};
        }
      }
      batch.push_back(std::move(message));
    }
  }
  if (auto done = netlink.commit(batch, std::nullopt); !done) return done.error();
  return true;
}

}  // namespace nftrules
