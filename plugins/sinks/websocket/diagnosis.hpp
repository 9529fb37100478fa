// What is wrong around an instance that is not open: for `nfbus doctor`, and in part for the log at the start.
#pragma once

#include "rules/rule_book.hpp"
#include "settings.hpp"

#include <nfbus/plugin.hpp>

#include <string>
#include <vector>

namespace websocket {

// Files that can be read, and will not be written to: each with the fix.
[[nodiscard]] std::vector<std::string> unwritable_files(const Settings& settings);

// rules: loaded for this.
void diagnose(const Settings& settings, rules::RuleBook& rules, nfbus::Findings findings);

}  // namespace websocket
