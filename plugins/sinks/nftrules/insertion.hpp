// Rules of ours in chains of others: where they go, and that they can do nothing but log.
#pragma once

#include "plan.hpp"
#include "rule_texts.hpp"

#include <nfbus/result.hpp>

#include <string>
#include <vector>

namespace nftrules {

// Adds to the plan the rules of this table that are not there yet. rules: all of the table.
nfbus::Result<void> plan_insertions(const std::vector<Insert>& inserts, const TableName& table,
                                    const std::vector<Rule>& rules, RuleTexts& texts, Plan& plan);

// Whether nfbus made it: it has one of our tags, and does nothing but log. A rule with a verdict never is.
bool is_ours(const Rule& rule);

// Why a rule is not one that only logs; empty: it is. It looks at what the kernel would run, not at the text.
std::string why_not_log_only(const Rule& rule);

}  // namespace nftrules
