#include "logging_rules.hpp"

#include "attributes.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;

constexpr std::uint32_t kAuditLevel = 8;                   // NFT_LOGLEVEL_AUDIT
constexpr std::size_t kPageBytes = std::size_t{64} << 10;  // in JSON at most six times as much
constexpr std::size_t kPerRuleBytes = 128;                 // names of keys, numbers
constexpr std::size_t kMostText = 4096;

// What stands in a rule beside its log statements.
struct Traits {
  std::string limited;
  std::string flowtable;  // that it adds connections to
};

bool is_drop(const Attributes& immediate) {
  const Attribute data = Attributes(immediate.find(NFTA_IMMEDIATE_DATA).payload).find(NFTA_DATA_VERDICT);
  const Attributes verdict(data.payload);
  return !data.whole.empty() && static_cast<std::int32_t>(verdict.find(NFTA_VERDICT_CODE).be32()) == NF_DROP;
}

Traits traits_of(const Rule& rule) {
  Traits traits;
  bool is_limited = false;
  bool is_log_limited = false;
  for (const Attribute& element : Attributes(rule.expressions)) {
    const Attributes expression(element.payload);
    const std::string_view name = expression.find(NFTA_EXPR_NAME).text();
    const Attributes data(expression.find(NFTA_EXPR_DATA).payload);
    if (name == "limit") {
      // "limit rate over" is meant to choose what a verdict is for.
      is_limited = is_limited || (data.find(NFTA_LIMIT_FLAGS).be32() & NFT_LIMIT_F_INV) == 0;
    } else if (name == "log") {
      is_log_limited = is_log_limited || is_limited;
    } else if (name == "flow_offload") {
      traits.flowtable = data.find(NFTA_FLOW_TABLE_NAME).text();
    } else if (is_log_limited && traits.limited.empty()) {
      // A limit is for letting in as well: of what is let in, it may be just that.
      if (name == "immediate" && is_drop(data)) traits.limited = "drop";
      if (name == "reject") traits.limited = "reject";
    }
  }
  return traits;
}

bool is_of_same_chain(const Rule& a, const Rule& b) { return a.chain == b.chain && a.table == b.table; }

json as_json(const LoggingRule& rule) {
  json out = {{"table", rule.table}, {"chain", rule.chain}, {"handle", rule.handle}, {"prefix", rule.prefix}};
  if (!rule.comment.empty()) out["comment"] = rule.comment;
  if (rule.group) out["group"] = *rule.group;
  if (!rule.limited.empty()) out["limited"] = rule.limited;
  if (!rule.flowtable.empty()) out["flowtable"] = rule.flowtable;
  if (!rule.flowtable.empty()) out["flow_handle"] = rule.flow_handle;
  if (!rule.text.empty()) out["text"] = rule.text;
  return out;
}

// Throws nlohmann's exceptions.
LoggingRule rule_of(const json& from) {
  LoggingRule rule;
  rule.table = from.at("table").get<std::string>();
  rule.chain = from.at("chain").get<std::string>();
  rule.handle = from.at("handle").get<std::uint64_t>();
  rule.prefix = from.at("prefix").get<std::string>();
  rule.comment = from.value("comment", "");
  if (from.contains("group")) rule.group = from.at("group").get<std::uint16_t>();
  rule.limited = from.value("limited", "");
  rule.flowtable = from.value("flowtable", "");
  rule.flow_handle = from.value("flow_handle", std::uint64_t{0});
  rule.text = from.value("text", "");
  return rule;
}

std::size_t size_of(const LoggingRule& rule) {
  return kPerRuleBytes + rule.table.size() + rule.chain.size() + rule.prefix.size() + rule.comment.size() +
         rule.limited.size() + rule.flowtable.size() + rule.text.size();
}

}  // namespace

std::string LoggingRule::name() const {
  std::string out = table + ' ' + chain + " handle " + std::to_string(handle);
  if (!comment.empty()) out += " \"" + comment + '"';
  return out;
}

std::vector<LoggingRule> logging_rules_of(std::span<const Rule> rules, const TextOf& text_of) {
  std::vector<LoggingRule> out;
  const Rule* chain = nullptr;  // the first rule of the chain that is read
  std::string flowtable;
  std::uint64_t flow_handle = 0;
  for (const Rule& rule : rules) {
    if (chain == nullptr || !is_of_same_chain(*chain, rule)) {
      chain = &rule;
      flowtable.clear();
    }
    const Traits traits = traits_of(rule);
    std::optional<std::string> text;
    for (const LogStatement& log : rule.logs) {
      if (!log.group && log.level == kAuditLevel) continue;
      LoggingRule found{to_string(rule.table),
                        rule.chain,
                        rule.handle,
                        rule.comment,
                        log.prefix,
                        log.group,
                        traits.limited,
                        flowtable,
                        flow_handle,
                        {}};
      if (text_of && (!log.group || !traits.limited.empty())) {
        if (!text) text = text_of(rule);
        if (text->size() <= kMostText) found.text = *text;
      }
      out.push_back(std::move(found));
    }
    if (flowtable.empty() && !traits.flowtable.empty()) {
      flowtable = traits.flowtable;
      flow_handle = rule.handle;
    }
  }
  return out;
}

json page_of(std::span<const LoggingRule> rules, std::size_t from, std::uint64_t version) {
  json listed = json::array();
  std::size_t i = from;
  for (std::size_t size_bytes = 0; i < rules.size() && size_bytes < kPageBytes; ++i) {
    size_bytes += size_of(rules[i]);
    listed.push_back(as_json(rules[i]));
  }
  json out = {{"version", version}, {"rules", std::move(listed)}};
  if (i < rules.size()) out["next"] = i;
  return out;
}

Result<LoggingPage> read_page(std::string_view answer) {
  try {
    const json parsed = json::parse(answer);
    LoggingPage page;
    page.version = parsed.at("version").get<std::uint64_t>();
    for (const json& rule : parsed.at("rules")) page.rules.push_back(rule_of(rule));
    if (parsed.contains("next")) page.next = parsed.at("next").get<std::size_t>();
    return page;
  } catch (const json::exception& error) {
    return Error{Code::invalid, std::string("the privileged part answers what is no list of rules: ") + error.what()};
  }
}

}  // namespace nftrules
