// [[sink.NAME.ban]]: which sets there are, and who is never in them.
#pragma once

#include "ban_network.hpp"
#include "ruleset.hpp"

#include <nfbus/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nftrules {

// Two sets, NAME_v4 and NAME_v6, of networks of one length each.
struct BanSet {
  std::string key;                 // of the options: "ban/0"
  std::string name;                // [a-z_][a-z0-9_-]*, at most 20 characters
  std::optional<TableName> table;  // none: our own, with a rule that drops
  std::uint32_t ttl_s = 0;         // of a ban that says nothing else, and of any at most
  std::uint32_t max = 0;           // elements of each set
  std::uint8_t v4_prefix = kMostBitsV4;
  std::uint8_t v6_prefix = kMostBitsV6;
  // More of what `when` matches than `rate_packets` per `rate_unit` ("minute") bans in the packet path. 0: nothing
  // does.
  std::uint32_t rate_packets = 0;
  std::string rate_unit;
  std::string when;  // of nft: "tcp dport 22 ct state new"

  [[nodiscard]] std::uint8_t prefix(std::uint8_t family) const noexcept;
};

struct BanSettings {
  std::vector<BanSet> sets;
  std::vector<Network> allow;
  bool accept_messages = false;
};

// Throws nfbus::OptionError where a schema could not say what is wrong.
BanSettings ban_settings_of(const nfbus::Options& options);

// "90s", "10m", "1h", "7d" in seconds; none: it is no such text, or more than a year.
std::optional<std::uint32_t> seconds_of(std::string_view text);

inline constexpr std::string_view kBanTable = "nfbus_bans";  // inet: our own

}  // namespace nftrules
