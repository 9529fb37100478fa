// What NftRules::diagnose() looks at.
#include "diagnosis.hpp"
#include "nftrules.hpp"

#include <nfbus/captures.h>
#include <nfbus/text.hpp>

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

constexpr std::chrono::milliseconds kPatience{15'000};
constexpr int kMostTries = 10;
constexpr const char* kListeners = "/proc/self/net/netfilter/nfnetlink_log";  // root alone may read it
constexpr const char* kLegacyTables[] = {"/proc/self/net/ip_tables_names", "/proc/self/net/ip6_tables_names"};

Result<std::vector<LoggingRule>> all_rules(nfbus::Host host) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    std::vector<LoggingRule> out;
    std::optional<std::uint64_t> version;
    std::optional<std::size_t> next = 0;
    while (next) {
      const auto answer =
          host.request(R"({"do":"logging","texts":true,"from":)" + std::to_string(*next) + '}', kPatience);
      if (!answer) return answer.error();
      auto page = read_page(*answer);
      if (!page) return page.error();
      if (version && *version != page->version) break;
      version = page->version;
      out.insert(out.end(), page->rules.begin(), page->rules.end());
      next = page->next;
    }
    if (!next) return out;
  }
  return Error{Code::busy, "the ruleset changes faster than it can be listed"};
}

std::optional<std::string> read_file(const char* path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

void NftRules::diagnose(nfbus::Findings findings) const {
  auto rules = all_rules(host_);
  if (!rules) {
    findings.error("the rules that log cannot be looked at: " + rules.error().text,
                   ::geteuid() == 0 ? "" : "run nfbus doctor as root");
    return;
  }
  Surroundings around;
  around.sink = host_.instance_name();
  around.settings = settings_;
  around.rules = std::move(rules).value();
  around.listeners = groups_in(read_file(kListeners).value_or(""));
  if (const auto* const known = host_.extension<nfbus_captures>(NFBUS_CAPTURES); known != nullptr) {
    around.captures = {{known->groups, known->groups + known->group_count}, [known](std::string_view prefix) {
                         return known->is_wanted(known->context, nfbus::to_text(prefix)) != 0;
                       }};
  }
  for (const char* const tables : kLegacyTables) {
    if (!read_file(tables).value_or("").empty()) around.sees_all_rules = false;
  }
  for (const Finding& finding : nftrules::diagnose(around)) {
    if (finding.level == Finding::Level::warning) {
      findings.warning(finding.text, finding.fix);
    } else {
      findings.info(finding.text + (finding.fix.empty() ? "" : "; ") + finding.fix);
    }
  }
}

}  // namespace nftrules
