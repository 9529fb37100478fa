// The rules that log, as a privileged part tells its plugin of them: what matters of each, and that as JSON.
#pragma once

#include "ruleset.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

// One log statement of a rule.
struct LoggingRule {
  std::string table;  // "inet filter"
  std::string chain;
  std::uint64_t handle = 0;
  std::string comment;
  std::string prefix;
  std::optional<std::uint16_t> group;  // none: it logs to syslog
  std::string limited;                 // the rule's verdict, if a limit stands before it: "drop"; empty: none
  std::string flowtable;               // what a rule before it in its chain adds connections to; empty: none
  std::uint64_t flow_handle = 0;       // that rule
  std::string text;                    // the rule as nft writes it; empty: not asked for, or not known

  // "inet filter FORWARD handle 12", with the comment in quotes behind it, if any.
  [[nodiscard]] std::string name() const;
};

// Answers the rule as nft writes it, or nothing.
using TextOf = std::function<std::string(const Rule&)>;

// Of the rules of whole chains, in their order. What logs for audit is none. text_of: asked for the rules that a
// finding may have to quote; empty: none is asked for.
std::vector<LoggingRule> logging_rules_of(std::span<const Rule> rules, const TextOf& text_of = {});

// A part of the list: an answer has room for 1 MiB.
struct LoggingPage {
  std::uint64_t version = 0;  // of the list; pages with another one do not belong together
  std::vector<LoggingRule> rules;
  std::optional<std::size_t> next;  // ask with "from" = this; none: it was the last one
};

// The page of `rules` that begins with number `from`.
nlohmann::json page_of(std::span<const LoggingRule> rules, std::size_t from, std::uint64_t version);
// Reads what page_of() made. Errors: invalid.
nfbus::Result<LoggingPage> read_page(std::string_view answer);

}  // namespace nftrules
