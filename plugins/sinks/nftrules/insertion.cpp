#include "insertion.hpp"

#include "attributes.hpp"
#include "compiler.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Result;

// Where one of ours goes.
struct Wanted {
  const Insert* insert;
  std::uint64_t beside;  // a handle
};

// One command for nft.
std::string command_of(const Wanted& wanted) {
  const Insert& insert = *wanted.insert;
  return std::string(insert.place == Insert::Place::before ? "insert" : "add") + " rule " + to_string(insert.table) +
         ' ' + insert.chain + " position " + std::to_string(wanted.beside) + ' ' + insert.statement + " comment \"" +
         insert.tag + "\"\n";
}

// The rule beside which it goes; none: the plan says why.
const Rule* find_place(const Insert& insert, const std::vector<Rule>& rules, RuleTexts& texts, Plan& plan) {
  std::vector<const Rule*> found;
  for (const Rule& rule : rules) {
    if (rule.chain == insert.chain && !is_ours(rule) && texts.says(rule, insert.beside)) found.push_back(&rule);
  }
  const std::string what =
      insert.key + ": \"" + insert.beside + "\" in " + to_string(insert.table) + ' ' + insert.chain;
  if (found.empty()) {
    plan.errors.push_back(what + " is not found: no rule of that chain says this; see nft -a list chain " +
                          to_string(insert.table) + ' ' + insert.chain +
                          (texts.trouble().empty() ? "" : " (" + texts.trouble() + ')'));
    return nullptr;
  }
  if (found.size() > 1 && insert.which == Insert::Which::only) {
    plan.errors.push_back(what + " is found " + std::to_string(found.size()) +
                          R"( times: add match = "first" or "last", or say more of the rule that is meant)");
    return nullptr;
  }
  return insert.which == Insert::Which::last ? found.back() : found.front();
}

// The rule number `index` of what was compiled is the one asked for; else why not.
std::string why_not_it(const Message& message, const Insert& insert) {
  const Rule rule = rule_of(message);
  if (rule.table != insert.table || rule.chain != insert.chain || rule.comment != insert.tag) {
    return "it is more than one rule, or has a comment, which is nfbus's to give";
  }
  return why_not_log_only(rule);
}

Result<std::vector<Message>> compile_checked(const std::vector<Wanted>& wanted, std::string& why_not) {
  std::string commands;
  for (const Wanted& one : wanted) commands += command_of(one);
  auto messages = compile(commands);
  if (!messages) return messages.error();
  std::size_t rules = 0;
  for (Message& message : *messages) {
    message.flags = NLM_F_CREATE;
    if (message.type == NFT_MSG_NEWRULE) {
      if (rules == wanted.size()) {
        why_not = wanted.back().insert->key + ": it is more than one rule";
        return std::vector<Message>();
      }
      const Insert& insert = *wanted[rules++].insert;
      if (insert.place == Insert::Place::after) message.flags |= NLM_F_APPEND;
      message.what = "add the rule of " + insert.key;
      why_not = why_not_it(message, insert);
      if (!why_not.empty()) {
        why_not.insert(0, insert.key + ": ");
        return std::vector<Message>();
      }
    } else if (message.type == NFT_MSG_NEWSET || message.type == NFT_MSG_NEWSETELEM) {
      message.what = "add a set of an inserted rule";
    } else {
      why_not = wanted.front().insert->key + ": it is more than a rule";
      return std::vector<Message>();
    }
  }
  if (rules != wanted.size()) why_not = wanted.front().insert->key + ": it is no rule";
  return messages;
}

// Compiles them at once, since nft numbers their sets; the one that is wrong is found by compiling each alone.
Result<void> add_to(Plan& plan, const std::vector<Wanted>& wanted) {
  std::string why_not;
  auto messages = compile_checked(wanted, why_not);
  if (messages && why_not.empty()) {
    std::ranges::move(*messages, std::back_inserter(plan.batch));
    return {};
  }
  if (messages) {
    plan.errors.push_back(why_not);
    return {};
  }
  if (messages.error().code == Code::invalid) {
    for (const Wanted& one : wanted) {
      auto alone = compile_checked({one}, why_not);
      if (alone || alone.error().code != Code::invalid) continue;
      plan.errors.push_back(one.insert->key + ": " + alone.error().text + " (" + one.insert->statement + ')');
    }
    if (!plan.errors.empty()) return {};
  }
  plan.errors.push_back(wanted.front().insert->key + ": " + messages.error().text);
  return {};
}

}  // namespace

bool is_ours(const Rule& rule) {
  constexpr std::size_t kDigits = 16;
  const std::string_view comment = rule.comment;
  return comment.size() == kTag.size() + kDigits && comment.starts_with(kTag) &&
         comment.substr(kTag.size()).find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         why_not_log_only(rule).empty();
}

std::string why_not_log_only(const Rule& rule) {
  for (const Attribute& element : Attributes(rule.expressions)) {
    const Attributes expression(element.payload);
    const std::string name(expression.find(NFTA_EXPR_NAME).text());
    // A verdict is looked for below.
    if (name == "log" || name == "immediate" || only_looks(name, expression.find(NFTA_EXPR_DATA).payload)) continue;
    return "it does more than look and log: " + name;
  }
  if (rule.has_verdict) return "it has a verdict; a rule of nfbus's decides nothing";
  if (rule.logs.empty()) return "it does not log";
  if (!rule.logs.front().group) return "it logs without a group: nfbus would not hear it";
  return {};
}

Result<void> plan_insertions(const std::vector<Insert>& inserts, const TableName& table, const std::vector<Rule>& rules,
                             RuleTexts& texts, Plan& plan) {
  std::vector<Wanted> wanted;
  for (const Insert& insert : inserts) {
    if (insert.table != table) continue;
    const auto there = std::ranges::find_if(rules, [&](const Rule& rule) {
      return rule.comment == insert.tag && rule.chain == insert.chain && is_ours(rule);
    });
    if (there != rules.end()) {
      plan.notes.push_back(insert.key + ": " + to_string(table) + ' ' + there->chain + " handle " +
                           std::to_string(there->handle) + " is it already");
      continue;
    }
    const bool is_twice =
        std::ranges::any_of(wanted, [&](const Wanted& other) { return other.insert->tag == insert.tag; });
    if (is_twice) continue;
    const auto same = std::ranges::find_if(rules, [&](const Rule& rule) {
      return rule.chain == insert.chain && !is_ours(rule) && !insert.log.prefix.empty() &&
             std::ranges::any_of(rule.logs, [&](const LogStatement& log) {
               return log.group == insert.log.group && plain_prefix(log.prefix) == plain_prefix(insert.log.prefix);
             });
    });
    if (same != rules.end()) {
      plan.notes.push_back(insert.key + ": " + to_string(table) + ' ' + same->chain + " handle " +
                           std::to_string(same->handle) + " logs \"" + insert.log.prefix + "\" to group " +
                           std::to_string(*insert.log.group) + " already");
      continue;
    }
    const Rule* const place = find_place(insert, rules, texts, plan);
    if (place == nullptr) continue;
    wanted.push_back({&insert, place->handle});
    plan.changes.push_back({table, insert.chain, 0, "", insert.statement + " comment \"" + insert.tag + '"',
                            std::string(insert.place == Insert::Place::before ? "before" : "after") + " handle " +
                                std::to_string(place->handle)});
  }
  if (wanted.empty()) return {};
  return add_to(plan, wanted);
}

}  // namespace nftrules
