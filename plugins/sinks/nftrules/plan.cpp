#include "plan.hpp"

#include "anonymous_sets.hpp"
#include "attributes.hpp"
#include "insertion.hpp"
#include "rule_texts.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

constexpr std::uint32_t kFirstSetId = 0x4000'0000;  // nft numbers its own from 1 on
constexpr int kMostTries = 10;

bool is_xt(const Rule& rule) {
  return std::ranges::any_of(rule.names, [](const std::string& name) { return name == "match" || name == "target"; });
}

std::string place_of(const Rule& rule) { return to_string(rule.table) + ' ' + rule.chain; }

std::string handles_of(const std::vector<const Rule*>& rules) {
  std::string out;
  for (const Rule* rule : rules) out += (out.empty() ? "" : ", ") + std::to_string(rule->handle);
  return out;
}

// Why a rule cannot be written back as it was read; empty: it can.
std::string why_left_alone(const Rule& rule, std::span<const LeftAlone> left_alone) {
  for (const LeftAlone& known : left_alone) {
    if (known.table == rule.table && known.handle == rule.handle) return known.why;
  }
  if (is_xt(rule)) return "it has a match or target of iptables";
  if (std::ranges::find(rule.names, "connlimit") != rule.names.end()) {
    return "it counts connections, which a rule in its place would begin anew";
  }
  for (const std::string& mention : rule.mentions) {
    if (mention.find(" __chain") != std::string::npos) return "it has a chain of its own, which ends with it";
    if (mention.starts_with("@__")) return "it has a map of objects of its own";
  }
  return {};
}

AttributeWriter which_rule(const Rule& rule) {
  AttributeWriter writer;
  writer.text(NFTA_RULE_TABLE, rule.table.name).text(NFTA_RULE_CHAIN, rule.chain).be64(NFTA_RULE_HANDLE, rule.handle);
  return writer;
}

// Makes the plan of one table.
class TablePlanner {
 public:
  TablePlanner(Netlink& netlink, const TableName& table, std::span<const LeftAlone> left_alone, RuleTexts& texts,
               Plan& plan, std::uint32_t& set_id)
      : netlink_(netlink), table_(table), left_alone_(left_alone), texts_(texts), plan_(plan), set_id_(set_id) {}

  // False: the table cannot be changed, and the plan says why; that keeps others from their changes where is_needed.
  Result<bool> read(const std::vector<Table>& tables, bool is_needed) {
    is_needed_ = is_needed;
    const auto found = std::ranges::find(tables, table_, &Table::name);
    if (found == tables.end()) return refuse("there is no table " + to_string(table_));
    if (found->owner) {
      return refuse("the table " + to_string(table_) + " has an owner, port " + std::to_string(*found->owner) +
                    ", which alone may change it");
    }
    auto rules = list_rules(netlink_, table_);
    if (!rules) return rules.error();
    rules_ = std::move(rules).value();
    const bool may_be_iptables = table_.family != NFPROTO_INET && table_.family != NFPROTO_NETDEV;
    if (may_be_iptables && std::ranges::any_of(rules_, is_xt)) {
      return refuse("the table " + to_string(table_) +
                    " is iptables-nft's, and is left alone; give its rules --nflog-group "
                    "and --nflog-prefix with iptables");
    }
    return true;
  }

  // A ruleset that was saved and loaded again has other handles: what was exchanged is known by its statement then,
  // where one rule alone of its chain has it.
  void find_again(State& state) const {
    for (Exchanged& exchanged : state.exchanged) {
      if (std::ranges::any_of(rules_, [&](const Rule& rule) { return is_it(exchanged, rule); })) continue;
      const Rule* found = nullptr;
      std::size_t count = 0;
      for (const Rule& rule : rules_) {
        if (rule.chain != exchanged.chain || exchanged.index >= rule.logs.size() || is_ours(rule)) continue;
        if (rule.logs[exchanged.index] != exchanged.now) continue;
        found = &rule;
        ++count;
      }
      if (count == 1) exchanged.handle = found->handle;
    }
  }

  Result<void> rewrite(const Rewrite& wanted, const State& before, State& after) {
    std::vector<const Rule*> matches;
    std::vector<const Rule*> done;
    std::size_t index = 0;
    for (const Rule& rule : rules_) {
      for (std::size_t i = 0; i < rule.logs.size(); ++i) {
        const LogStatement& log = rule.logs[i];
        if (log.group == wanted.log.group && plain_prefix(log.prefix) == plain_prefix(wanted.log.prefix)) {
          done.push_back(&rule);
          break;
        }
        if (rule.chain != wanted.chain || is_ours(rule)) continue;
        const Exchanged* const exchanged = known(before, rule, i);
        const std::string& prefix = exchanged == nullptr ? log.prefix : exchanged->was.prefix;
        if (plain_prefix(prefix) != wanted.match_prefix) continue;
        matches.push_back(&rule);
        index = i;
        break;
      }
    }
    const std::string what =
        wanted.key + ": \"" + wanted.match_prefix + "\" in " + to_string(table_) + ' ' + wanted.chain;
    for (const Rule* rule : done) keep(before, *rule, after);
    if (matches.size() > 1) {
      return fail(what + " is found " + std::to_string(matches.size()) + " times (handles " + handles_of(matches) +
                  "): give each its own prefix, or name them in chains of their own");
    }
    if (matches.empty() && done.empty()) {
      return fail(what + " is not found: no rule of that chain logs with this prefix; see nft -a list table " +
                  to_string(table_));
    }
    if (matches.empty()) {
      plan_.notes.push_back(what + ": " + place_of(*done.front()) + " handle " + std::to_string(done.front()->handle) +
                            " logs \"" + wanted.log.prefix + "\" to group " + std::to_string(*wanted.log.group) +
                            " already");
      return {};
    }
    const Rule& rule = *matches.front();
    if (const std::string why = why_left_alone(rule, left_alone_); !why.empty()) {
      plan_.notes.push_back(what + ": handle " + std::to_string(rule.handle) + " is left alone: " + why);
      return {};
    }
    const Exchanged* const exchanged = known(before, rule, index);
    LogStatement now = wanted.log;
    now.snaplen = rule.logs[index].snaplen;
    now.queue_threshold = rule.logs[index].queue_threshold;
    after.exchanged.push_back(
        {rule.chain, rule.handle, index, exchanged == nullptr ? rule.logs[index] : exchanged->was, now});
    return exchange(rule, index, now);
  }

  // Puts back what was exchanged and nothing asks for any more: what is not in `after`.
  Result<void> restore(const State& before, State& after) {
    for (const Exchanged& exchanged : before.exchanged) {
      const bool is_kept = std::ranges::any_of(after.exchanged, [&](const Exchanged& kept) {
        return kept.handle == exchanged.handle && kept.chain == exchanged.chain && kept.index == exchanged.index;
      });
      if (is_kept) continue;
      const auto rule =
          std::ranges::find_if(rules_, [&](const Rule& candidate) { return is_it(exchanged, candidate); });
      if (rule == rules_.end()) {
        plan_.notes.push_back("the rule " + to_string(table_) + ' ' + exchanged.chain + " handle " +
                              std::to_string(exchanged.handle) + ", which logged \"" + exchanged.was.prefix +
                              "\" before, is not there any more as it was left");
        continue;
      }
      if (stays(*rule)) {
        after.exchanged.push_back(exchanged);
        continue;
      }
      if (auto done = exchange(*rule, exchanged.index, exchanged.was); !done) return done;
    }
    return {};
  }

  // The tags of rules of ours that are there.
  [[nodiscard]] std::vector<std::string> tags() const {
    std::vector<std::string> out;
    for (const Rule& rule : rules_) {
      if (is_ours(rule)) out.push_back(rule.comment);
    }
    return out;
  }

  // Puts every statement that was exchanged, before or since, to what it was by `before`.
  Result<void> go_back(const State& state, State& after) {
    std::vector<Exchanged> all = state.exchanged;
    std::ranges::copy(state.before->exchanged, std::back_inserter(all));
    std::vector<std::pair<std::uint64_t, std::size_t>> seen;
    for (const Exchanged& exchanged : all) {
      const std::pair place(exchanged.handle, exchanged.index);
      if (std::ranges::find(seen, place) != seen.end()) continue;
      seen.push_back(place);
      const auto before = std::ranges::find_if(state.before->exchanged, [&](const Exchanged& other) {
        return other.handle == exchanged.handle && other.index == exchanged.index;
      });
      const LogStatement& wanted = before == state.before->exchanged.end() ? exchanged.was : before->now;
      const auto rule = std::ranges::find_if(rules_, [&](const Rule& candidate) {
        if (candidate.handle != exchanged.handle || exchanged.index >= candidate.logs.size()) return false;
        const LogStatement& log = candidate.logs[exchanged.index];
        return log == exchanged.now || log == exchanged.was;
      });
      if (rule == rules_.end() || rule->logs[exchanged.index] == wanted) continue;
      if (stays(*rule)) {
        if (std::ranges::find(after.exchanged, exchanged) == after.exchanged.end())
          after.exchanged.push_back(exchanged);
        continue;
      }
      if (auto done = exchange(*rule, exchanged.index, wanted); !done) return done;
    }
    return {};
  }

  // Removes rules of ours that are not wanted: all but the first of each tag in `wanted`. One that stands in another
  // chain than ours would was copied there by somebody.
  void remove_ours(const std::vector<std::string>& wanted, const std::vector<Insert>& inserts = {}) {
    std::vector<std::string> seen;
    for (const Rule& rule : rules_) {
      if (!is_ours(rule)) continue;
      const auto insert = std::ranges::find(inserts, rule.comment, &Insert::tag);
      if (insert != inserts.end() && insert->chain != rule.chain) {
        plan_.notes.push_back(place_of(rule) + " handle " + std::to_string(rule.handle) + " has the comment of " +
                              insert->key + ", which belongs into another chain: it is left alone");
        continue;
      }
      const bool is_wanted = std::ranges::find(wanted, rule.comment) != wanted.end();
      const bool is_second = std::ranges::find(seen, rule.comment) != seen.end();
      seen.push_back(rule.comment);
      if (is_wanted && !is_second) continue;
      Message message{NFT_MSG_DELRULE, 0, table_.family, which_rule(rule).bytes(),
                      "remove the rule " + place_of(rule) + " handle " + std::to_string(rule.handle)};
      plan_.batch.push_back(std::move(message));
      plan_.changes.push_back({table_, rule.chain, rule.handle, texts_.of(rule), "", ""});
    }
  }

  [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return rules_; }

 private:
  bool refuse(std::string why) {
    (is_needed_ ? plan_.errors : plan_.notes).push_back(std::move(why));
    plan_.is_incomplete = true;
    return false;
  }
  Result<void> fail(std::string why) {
    plan_.errors.push_back(std::move(why));
    return {};
  }

  // It cannot be put back; the plan says why.
  bool stays(const Rule& rule) {
    const std::string why = why_left_alone(rule, left_alone_);
    if (why.empty()) return false;
    plan_.notes.push_back(place_of(rule) + " handle " + std::to_string(rule.handle) + " stays as it is: " + why);
    plan_.is_incomplete = true;
    return true;
  }

  static bool is_it(const Exchanged& exchanged, const Rule& rule) {
    return rule.handle == exchanged.handle && rule.chain == exchanged.chain && exchanged.index < rule.logs.size() &&
           rule.logs[exchanged.index] == exchanged.now;
  }

  static const Exchanged* known(const State& state, const Rule& rule, std::size_t index) {
    for (const Exchanged& exchanged : state.exchanged) {
      if (exchanged.index == index && is_it(exchanged, rule)) return &exchanged;
    }
    return nullptr;
  }

  static void keep(const State& before, const Rule& rule, State& after) {
    for (const Exchanged& exchanged : before.exchanged) {
      if (is_it(exchanged, rule) && std::ranges::find(after.exchanged, exchanged) == after.exchanged.end()) {
        after.exchanged.push_back(exchanged);
      }
    }
  }

  // A second statement of a rule goes into the message that exchanges the first one.
  bool exchange_in_batch(const Rule& rule, std::size_t index, const LogStatement& now) {
    for (const auto& [at, known] : plan_.replaced) {
      if (known.table != table_ || known.handle != rule.handle) continue;
      AttributeWriter writer;
      for (const Attribute& attribute : Attributes(plan_.batch[at].attributes)) {
        if (attribute.type == NFTA_RULE_EXPRESSIONS) {
          writer.nested(NFTA_RULE_EXPRESSIONS, with_log(attribute.payload, index, now));
        } else {
          writer.raw(attribute.whole);
        }
      }
      plan_.batch[at].attributes = std::move(writer).bytes();
      for (Change& change : plan_.changes) {
        if (change.table == table_ && change.handle == rule.handle) {
          change.now = RuleTexts::with_log(change.now, rule.logs[index], now);
        }
      }
      return true;
    }
    return false;
  }

  Result<void> exchange(const Rule& rule, std::size_t index, const LogStatement& now) {
    if (exchange_in_batch(rule, index, now)) return {};
    auto expressions = renew_anonymous_sets(netlink_, rule, set_id_, plan_.batch);
    if (!expressions) return expressions.error();
    AttributeWriter writer = which_rule(rule);
    writer.nested(NFTA_RULE_EXPRESSIONS, with_log(*expressions, index, now));
    if (!rule.userdata.empty()) writer.put(NFTA_RULE_USERDATA, rule.userdata);
    plan_.replaced.emplace(plan_.batch.size(), LeftAlone{table_, rule.handle, {}});
    plan_.batch.push_back({NFT_MSG_NEWRULE, NLM_F_REPLACE, table_.family, std::move(writer).bytes(),
                           "replace the rule " + place_of(rule) + " handle " + std::to_string(rule.handle)});
    const std::string was = texts_.of(rule);
    plan_.changes.push_back(
        {table_, rule.chain, rule.handle, was, RuleTexts::with_log(was, rule.logs[index], now), ""});
    return {};
  }

  Netlink& netlink_;
  const TableName& table_;
  const std::span<const LeftAlone> left_alone_;
  RuleTexts& texts_;
  Plan& plan_;
  std::uint32_t& set_id_;
  std::vector<Rule> rules_;
  bool is_needed_ = true;
};

// What the plans of the tables of one ruleset share.
struct Planning {
  Netlink& netlink;
  const Settings& settings;
  const StateFolder& folder;
  const PlanOptions& options;
  const std::vector<Table>& tables;
  RuleTexts texts;
  std::uint32_t set_id = kFirstSetId;
  Plan& plan;
};

Result<void> plan_table(Planning& planning, const TableName& table) {
  auto before = planning.folder.read(table);
  if (!before) return before.error();
  TablePlanner planner(planning.netlink, table, planning.options.left_alone, planning.texts, planning.plan,
                       planning.set_id);
  const auto can_change = planner.read(planning.tables, true);
  if (!can_change) return can_change.error();
  if (!*can_change) return {};
  planner.find_again(*before);
  State after{table, {}, false, std::nullopt};
  std::vector<std::string> tags;
  for (const Insert& insert : planning.settings.inserts) {
    if (insert.table == table) tags.push_back(insert.tag);
  }
  after.has_insertions = !tags.empty();
  if (planning.options.to_try) {
    after.before = before->before ? before->before : Before{before->exchanged, planner.tags()};
  } else {
    planner.remove_ours(tags, planning.settings.inserts);
  }
  if (auto added = plan_insertions(planning.settings.inserts, table, planner.rules(), planning.texts, planning.plan);
      !added) {
    return added;
  }
  for (const Rewrite& rewrite : planning.settings.rewrites) {
    if (rewrite.table != table) continue;
    if (auto done = planner.rewrite(rewrite, *before, after); !done) return done;
  }
  if (auto done = planner.restore(*before, after); !done) return done;
  planning.plan.states.push_back(std::move(after));
  return {};
}

// Either all of ours, or what was applied to try it. A table that cannot be touched keeps its state, and keeps no other
// from being reverted.
Result<void> unplan_table(Planning& planning, const TableName& table, bool is_all) {
  auto before = planning.folder.read(table);
  if (!before) {
    const auto wanted = planning.settings.tables();
    if (std::ranges::find(wanted, table) != wanted.end()) return before.error();
    planning.plan.notes.push_back(before.error().text);
    planning.plan.is_incomplete = true;
    return {};
  }
  if (!is_all && !before->before) return {};
  State after{table, {}, false, std::nullopt};
  if (!is_all) {
    after.exchanged = before->before->exchanged;
    after.has_insertions = !before->before->tags.empty();
  }
  if (std::ranges::find(planning.tables, table, &Table::name) != planning.tables.end()) {
    TablePlanner planner(planning.netlink, table, planning.options.left_alone, planning.texts, planning.plan,
                         planning.set_id);
    const auto can_change = planner.read(planning.tables, false);
    if (!can_change) return can_change.error();
    if (!*can_change) return {};
    planner.find_again(*before);
    planner.remove_ours(is_all ? std::vector<std::string>() : before->before->tags);
    auto done = is_all ? planner.restore(*before, after) : planner.go_back(*before, after);
    if (!done) return done;
  }
  planning.plan.states.push_back(std::move(after));
  return {};
}

// Those of the configuration, and those that it had before.
std::vector<TableName> tables_of(const Settings& settings, const StateFolder& folder) {
  std::vector<TableName> tables = settings.tables();
  for (TableName& table : folder.tables()) {
    if (std::ranges::find(tables, table) == tables.end()) tables.push_back(std::move(table));
  }
  return tables;
}

// Calls `plan_one` for each table, and anew while others change the ruleset.
template <typename PlanOne>
Result<Plan> plan_all(Netlink& netlink, const Settings& settings, const StateFolder& folder, const PlanOptions& options,
                      PlanOne plan_one) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    Plan plan;
    const auto generation = netlink.generation();
    if (!generation) return generation.error();
    plan.generation = *generation;
    const auto tables = list_tables(netlink);
    if (!tables) return tables.error();
    Planning planning{.netlink = netlink,
                      .settings = settings,
                      .folder = folder,
                      .options = options,
                      .tables = *tables,
                      .texts = RuleTexts(options.with_texts),
                      .plan = plan};
    Result<void> made;
    for (const TableName& table : tables_of(settings, folder)) {
      made = plan_one(planning, table);
      if (!made) break;
    }
    if (!made && made.error().code != Code::busy) return made.error();
    if (!planning.texts.trouble().empty()) plan.notes.push_back(planning.texts.trouble());
    const auto now = netlink.generation();
    if (!now) return now.error();
    if (made && *now == plan.generation) return plan;
  }
  return Error{Code::busy, "the ruleset changes faster than a plan for it can be made"};
}

}  // namespace

Result<Plan> plan_that_works(Planner make, Netlink& netlink, const Settings& settings, const StateFolder& folder,
                             PlanOptions options, std::vector<LeftAlone>& left_alone) {
  for (;;) {
    options.left_alone = left_alone;
    auto plan = make(netlink, settings, folder, options);
    if (!plan || !plan->errors.empty()) return plan;
    std::optional<std::size_t> refused;
    const auto checked = netlink.check(plan->batch, plan->generation, &refused);
    if (checked || checked.error().code == Code::busy) return plan;
    const auto rule = refused ? plan->replaced.find(*refused) : plan->replaced.end();
    if (rule == plan->replaced.end()) return checked.error();
    const bool is_known = std::ranges::any_of(left_alone, [&](const LeftAlone& known) {
      return known.table == rule->second.table && known.handle == rule->second.handle;
    });
    if (is_known) return checked.error();
    left_alone.push_back(std::move(rule->second));
    left_alone.back().why = "the kernel does not take it back as it gave it (" + checked.error().text + ')';
  }
}

Result<Plan> plan_apply(Netlink& netlink, const Settings& settings, const StateFolder& folder,
                        const PlanOptions& options) {
  const std::vector<TableName> wanted = settings.tables();
  return plan_all(netlink, settings, folder, options, [&](Planning& planning, const TableName& table) {
    if (std::ranges::find(wanted, table) != wanted.end()) return plan_table(planning, table);
    return options.to_try ? Result<void>() : unplan_table(planning, table, true);
  });
}

Result<Plan> plan_revert(Netlink& netlink, const Settings& settings, const StateFolder& folder,
                         const PlanOptions& options) {
  return plan_all(netlink, settings, folder, options,
                  [](Planning& planning, const TableName& table) { return unplan_table(planning, table, true); });
}

Result<Plan> plan_back(Netlink& netlink, const Settings& settings, const StateFolder& folder,
                       const PlanOptions& options) {
  return plan_all(netlink, settings, folder, options,
                  [](Planning& planning, const TableName& table) { return unplan_table(planning, table, false); });
}

}  // namespace nftrules
