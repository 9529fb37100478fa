// What is wrong around an instance that is not open: for `nfbus doctor`, and in part for the log at the start.
#pragma once

#include "rules/rule_book.hpp"
#include "settings.hpp"

#include <nfbus/plugin.hpp>

#include <string>
#include <vector>

namespace websocket {

// What will go wrong with files that can be read: they will not be written to, others read the tokens, the certificate
// is no longer valid. Each with the fix.
[[nodiscard]] std::vector<std::string> warnings_of(const Settings& settings);

// rules: loaded for this.
void diagnose(const Settings& settings, rules::RuleBook& rules, nfbus::Findings findings);

}  // namespace websocket
