#include "diagnosis.hpp"

#include "statement_texts.hpp"

#include <nfbus/util/commands.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace nftrules {
namespace {

using nfbus::util::shell_word;
using Level = Finding::Level;

constexpr std::size_t kMostOfAKind = 20;
constexpr std::size_t kMostPrefix = 127;  // NF_LOG_PREFIXLEN, with its NUL

std::string place_of(const LoggingRule& rule) { return rule.table + ' ' + rule.chain; }
std::string which(const LoggingRule& rule) { return place_of(rule) + " handle " + std::to_string(rule.handle); }
std::string nft(const std::string& command) { return "nft " + shell_word(command); }

// Findings of one kind.
class Kind {
 public:
  // others: "rules that log to syslog".
  Kind(std::vector<Finding>& all, std::string others) : all_(all), others_(std::move(others)) {}
  Kind(const Kind&) = delete;
  Kind& operator=(const Kind&) = delete;
  ~Kind() = default;

  void add(Finding finding) {
    is_warning_ = is_warning_ || finding.level == Level::warning;
    if (++count_ <= kMostOfAKind) all_.push_back(std::move(finding));
  }
  void end() {
    if (count_ <= kMostOfAKind) return;
    all_.push_back({is_warning_ ? Level::warning : Level::info,
                    "and " + std::to_string(count_ - kMostOfAKind) + " more " + others_,
                    {}});
  }

 private:
  std::vector<Finding>& all_;
  std::string others_;
  std::size_t count_ = 0;
  bool is_warning_ = false;
};

// Groups that rules will log to once the sink's settings are applied.
std::set<std::uint16_t> wanted_groups(const Settings& settings) {
  std::set<std::uint16_t> out;
  for (const Rewrite& rewrite : settings.rewrites) out.insert(rewrite.log.group.value_or(0));
  for (const Insert& insert : settings.inserts) out.insert(insert.log.group.value_or(0));
  for (const Hook& hook : settings.hooks) out.insert(hook.group);
  return out;
}

bool is_to_be_rewritten(const Settings& settings, const LoggingRule& rule) {
  return std::ranges::any_of(settings.rewrites, [&](const Rewrite& rewrite) {
    return rewrite.chain == rule.chain && to_string(rewrite.table) == rule.table &&
           rewrite.match_prefix == plain_prefix(rule.prefix);
  });
}

std::uint16_t group_to_advise(const Surroundings& around) {
  const std::set<std::uint16_t> wanted = wanted_groups(around.settings);
  if (!wanted.empty()) return *wanted.begin();
  return around.captures && !around.captures->groups.empty() ? around.captures->groups.front() : std::uint16_t{0};
}

void find_silent(const Surroundings& around, std::vector<Finding>& out) {
  Kind kind(out, "rules that log to syslog");
  const std::uint16_t group = group_to_advise(around);
  for (const LoggingRule& rule : around.rules) {
    if (rule.group || is_to_be_rewritten(around.settings, rule)) continue;
    std::string fix;
    if (const auto text = with_group(rule.text, rule.prefix, group)) {
      fix = nft("replace rule " + which(rule) + ' ' + *text);
    }
    if (!plain_prefix(rule.prefix).empty()) {
      fix += fix.empty() ? "" : ", or ";
      fix += "[[sink." + around.sink + ".rewrite]] with table = \"" + rule.table + "\", chain = \"" + rule.chain +
             "\", match_prefix = \"" + plain_prefix(rule.prefix) + "\", prefix = \"" + rule.prefix +
             "\", group = " + std::to_string(group);
    } else if (fix.empty()) {
      fix = "give its log statement a prefix and group " + std::to_string(group);
    }
    const std::string what = rule.prefix.empty() ? std::string(" logs") : " logs \"" + rule.prefix + '"';
    kind.add({Level::warning, which(rule) + what + " to syslog, where nfbus does not hear it", std::move(fix)});
  }
  kind.end();
}

// "inet filter input handle 3 and 2 more".
std::string first_of(const std::vector<const LoggingRule*>& rules) {
  std::string out = which(*rules.front());
  if (rules.size() > 1) out += " and " + std::to_string(rules.size() - 1) + " more";
  return out;
}

bool contains(const std::vector<std::uint16_t>& groups, std::uint16_t group) {
  return std::ranges::find(groups, group) != groups.end();
}

void find_unheard(const Surroundings& around, std::vector<Finding>& out) {
  if (!around.captures) return;
  std::map<std::uint16_t, std::vector<const LoggingRule*>> fed;
  for (const LoggingRule& rule : around.rules) {
    if (rule.group) fed[*rule.group].push_back(&rule);
  }
  Kind unheard(out, "groups that nobody listens to");
  for (const auto& [group, rules] : fed) {
    if (contains(around.captures->groups, group) || contains(around.listeners, group)) continue;
    unheard.add({Level::warning,
                 "nobody listens to group " + std::to_string(group) + ", which " + first_of(rules) + " logs to",
                 "add [[capture]] with group = " + std::to_string(group) + " and its action"});
  }
  unheard.end();
  if (!around.sees_all_rules) return;
  Kind unfed(out, "groups that no rule logs to");
  const std::set<std::uint16_t> wanted = wanted_groups(around.settings);
  for (const std::uint16_t group : around.captures->groups) {
    if (fed.contains(group)) continue;
    const std::string number = std::to_string(group);
    if (wanted.contains(group)) {
      unfed.add({Level::info, "no rule logs to group " + number + " yet", "nfbus nft apply -c FILE"});
    } else {
      unfed.add({Level::warning, "no rule logs to group " + number + ", which a [[capture]] names",
                 "add [[sink." + around.sink + ".hook]] with group = " + number + ", or take the [[capture]] away"});
    }
  }
  unfed.end();
}

void find_unwanted(const Surroundings& around, std::vector<Finding>& out) {
  if (!around.captures) return;
  Kind kind(out, "prefixes that no sink wants");
  std::set<std::string> met;
  for (const LoggingRule& rule : around.rules) {
    const std::string prefix = plain_prefix(rule.prefix);
    if (!rule.group || !contains(around.captures->groups, *rule.group) || around.captures->is_wanted(rule.prefix) ||
        !met.insert(prefix).second) {
      continue;
    }
    kind.add({Level::info, "no sink wants what " + which(rule) + " logs, \"" + rule.prefix + '"',
              "add \"nft:" + prefix + "\" to the topics of one, if you want it"});
  }
  kind.end();
}

void find_cut(const Surroundings& around, std::vector<Finding>& out) {
  Kind kind(out, "rules with a prefix that may be cut");
  for (const LoggingRule& rule : around.rules) {
    if (rule.prefix.size() < kMostPrefix) continue;
    kind.add({Level::warning,
              which(rule) + " logs with a prefix of 127 characters, all that the kernel keeps: it may be cut",
              "give it a shorter one: nft -a list chain " + place_of(rule)});
  }
  kind.end();
}

void find_limited(const Surroundings& around, std::vector<Finding>& out) {
  Kind kind(out, "rules that limit their verdict");
  const LoggingRule* last = nullptr;
  for (const LoggingRule& rule : around.rules) {
    const bool is_met = last != nullptr && which(*last) == which(rule);  // it logs twice
    last = &rule;
    if (rule.limited.empty() || is_met) continue;
    std::string fix = "give the log a rule of its own, with the limit, and the verdict the next one, without it";
    if (const auto two = split_limited(rule.text, rule.limited)) {
      fix = nft("replace rule " + which(rule) + ' ' + two->log + "; add rule " + place_of(rule) + " position " +
                std::to_string(rule.handle) + ' ' + two->verdict);
    }
    kind.add(
        {Level::warning,
         which(rule) + " limits its " + rule.limited + ", too, and not its log alone: packets beyond the limit go on",
         std::move(fix)});
  }
  kind.end();
}

void find_bypassed(const Surroundings& around, std::vector<Finding>& out) {
  Kind kind(out, "rules that flowtables bypass");
  for (const LoggingRule& rule : around.rules) {
    if (rule.flowtable.empty() || !rule.group) continue;
    const std::string flow = std::to_string(rule.flow_handle);
    kind.add({Level::warning,
              which(rule) + " does not log what handle " + flow + " before it adds to flowtable " + rule.flowtable +
                  ": only the first packets of those connections come by",
              "if all are wanted: " + nft("delete rule " + place_of(rule) + " handle " + flow)});
  }
  kind.end();
}

}  // namespace

std::vector<Finding> diagnose(const Surroundings& around) {
  std::vector<Finding> out;
  for (const auto find : {find_silent, find_unheard, find_unwanted, find_cut, find_limited, find_bypassed})
    find(around, out);
  return out;
}

std::vector<std::uint16_t> groups_in(const std::string& text) {
  std::vector<std::uint16_t> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const char* const begin = line.data() + std::min(line.find_first_not_of(' '), line.size());
    std::uint16_t group = 0;
    if (std::from_chars(begin, line.data() + line.size(), group).ec == std::errc()) out.push_back(group);
  }
  return out;
}

}  // namespace nftrules
