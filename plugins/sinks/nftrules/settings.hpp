// What the configuration asks for, as the plugin and its privileged part read it.
#pragma once

#include "ruleset.hpp"

#include <nfbus/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nftrules {

// [[sink.NAME.rewrite]]: one rule that is there logs with another prefix and group.
struct Rewrite {
  std::string key;  // of the options: "rewrite/0"
  TableName table;
  std::string chain;
  std::string match_prefix;  // without blanks around it, in small letters
  LogStatement log;          // prefix and group
};

// [[sink.NAME.insert]]: a rule of ours beside one that is there.
struct Insert {
  enum class Place : std::uint8_t { before = 1, after };
  enum class Which : std::uint8_t { only = 1, first, last };

  std::string key;
  TableName table;
  std::string chain;
  Place place = Place::before;
  Which which = Which::only;
  std::string beside;     // what the rule that is there says
  std::string statement;  // of nft: what ours says
  LogStatement log;       // out of it
  std::string tag;        // its comment: by this it is known again
};

// [[sink.NAME.hook]]: a base chain of our own table.
struct Hook {
  std::string key;
  std::string hook;  // "input"
  std::vector<std::string> devices;
  bool is_outgoing = false;  // `devices` are where packets leave
  std::string prefix;
  std::uint16_t group = 0;
  std::string limit;  // "100/second"; empty: none
};

enum class OnStop : std::uint8_t { keep = 1, revert };

struct Settings {
  std::vector<Rewrite> rewrites;
  std::vector<Insert> inserts;
  std::vector<Hook> hooks;
  std::string state_dir;
  OnStop on_stop = OnStop::keep;
  bool watch = false;

  // Each table that rewrites and inserts name, once, in that order.
  [[nodiscard]] std::vector<TableName> tables() const;
};

// Throws nfbus::OptionError where a schema could not say what is wrong.
Settings settings_of(const nfbus::Options& options);

// Without blanks around it, in small letters, as a topic is made of it.
std::string plain_prefix(std::string_view prefix);

// The comments of all rules of ours begin so.
inline constexpr std::string_view kTag = "nfbus:";

}  // namespace nftrules
