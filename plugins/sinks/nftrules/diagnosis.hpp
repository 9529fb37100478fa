// What of the rules that log, the groups and the sink's settings does not fit each other, for `nfbus doctor`.
#pragma once

#include "logging_rules.hpp"
#include "settings.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

struct Finding {
  enum class Level : std::uint8_t { info = 1, warning };

  Level level = Level::warning;
  std::string text;
  std::string fix;  // a command, or lines of the configuration; empty: there is nothing to do

  friend bool operator==(const Finding&, const Finding&) = default;
};

struct Surroundings {
  std::string sink;  // "rules" of [sink.rules]
  Settings settings;
  std::vector<LoggingRule> rules;        // with texts
  std::vector<std::uint16_t> listeners;  // groups that some program listens to now
  bool sees_all_rules = true;            // no iptables-legacy beside nf_tables

  // Of the host's configuration.
  struct Captures {
    std::vector<std::uint16_t> groups;
    std::function<bool(std::string_view prefix)> is_wanted;  // by a sink
  };
  std::optional<Captures> captures;  // none: not known
};

// Of each kind at most 20, and how many more. Empty: all is well.
std::vector<Finding> diagnose(const Surroundings& around);

// The groups in /proc/net/netfilter/nfnetlink_log: a line each, which begins with its number.
std::vector<std::uint16_t> groups_in(const std::string& text);

}  // namespace nftrules
