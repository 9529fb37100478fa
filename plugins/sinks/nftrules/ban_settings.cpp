#include "ban_settings.hpp"

#include <linux/netfilter.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace nftrules {
namespace {

using nfbus::OptionError;
using nfbus::Options;

constexpr std::uint32_t kDayS = 86'400;
constexpr std::uint32_t kMostTtlS = 365 * kDayS;

// One match, on one line: nothing that begins another command or rule.
std::string match_at(const Options& options, const std::string& key) {
  std::string match = options.text(key);
  bool is_quoted = false;
  for (const char c : match) {
    if (c == '"') is_quoted = !is_quoted;
    if (static_cast<unsigned char>(c) < ' ' || c == 127) throw OptionError(key, "a match is one line");
    if (!is_quoted && (c == ';' || c == '#' || c == '\\' || c == '$')) {
      throw OptionError(key, std::string("a match is part of one rule, without \"") + c + '"');
    }
  }
  if (is_quoted) throw OptionError(key, "a quote is not closed");
  return match;
}

BanSet ban_set_of(const Options& options, const std::string& key) {
  BanSet out;
  out.key = key;
  out.name = options.text(key + "/name");
  if (options.has(key + "/table")) {
    auto table = table_name_of(options.text(key + "/table"));
    if (!table) throw OptionError(key + "/table", table.error().text);
    out.table = *table;
  }
  const auto ttl = seconds_of(options.text(key + "/ttl"));
  if (!ttl) throw OptionError(key + "/ttl", R"(a ban's time is 1s to 365d: "10m", "1h")");
  out.ttl_s = *ttl;
  out.max = static_cast<std::uint32_t>(options.integer(key + "/max"));
  out.v4_prefix = static_cast<std::uint8_t>(options.integer(key + "/v4_prefix"));
  out.v6_prefix = static_cast<std::uint8_t>(options.integer(key + "/v6_prefix"));
  if (options.has(key + "/rate") != options.has(key + "/when")) {
    throw OptionError(key, "rate and when go together: what is counted, and how many are too many");
  }
  if (options.has(key + "/rate")) {
    if (out.table)
      throw OptionError(key + "/rate", "only sets of nfbus's own table are filled by packets: leave out table");
    const std::string rate = options.text(key + "/rate");
    const std::size_t slash = rate.find('/');
    const auto [end, error] = std::from_chars(rate.data(), rate.data() + rate.size(), out.rate_packets);
    if (error != std::errc() || end != rate.data() + slash || out.rate_packets == 0) {
      throw OptionError(key + "/rate", "a rate is a number and a unit: \"20/minute\"");
    }
    out.rate_unit = rate.substr(slash + 1);
    out.when = match_at(options, key + "/when");
  }
  return out;
}

}  // namespace

std::uint8_t BanSet::prefix(std::uint8_t family) const noexcept {
  return family == NFPROTO_IPV4 ? v4_prefix : v6_prefix;
}

std::optional<std::uint32_t> seconds_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end + 1 != text.data() + text.size()) return std::nullopt;
  std::uint32_t unit_s = 0;
  switch (*end) {
    case 's': unit_s = 1; break;
    case 'm': unit_s = 60; break;
    case 'h': unit_s = 3600; break;
    case 'd': unit_s = kDayS; break;
    default: return std::nullopt;
  }
  if (number == 0 || number > kMostTtlS / unit_s) return std::nullopt;
  return number * unit_s;
}

BanSettings ban_settings_of(const Options& options) {
  BanSettings out;
  for (std::size_t i = 0; i < options.count("ban"); ++i) {
    BanSet set = ban_set_of(options, "ban/" + std::to_string(i));
    if (std::ranges::find(out.sets, set.name, &BanSet::name) != out.sets.end()) {
      throw OptionError(set.key + "/name", "two sets are called " + set.name + ": requests name them so");
    }
    out.sets.push_back(std::move(set));
  }
  for (std::size_t i = 0; i < options.count("allow"); ++i) {
    const std::string key = "allow/" + std::to_string(i);
    auto network = network_of(options.text(key));
    if (!network) throw OptionError(key, network.error().text);
    out.allow.push_back(*network);
  }
  out.accept_messages = options.boolean("accept_messages");
  if (out.accept_messages && out.sets.empty()) {
    throw OptionError("accept_messages", "messages ban into a set, and there is none: add [[sink.NAME.ban]]");
  }
  return out;
}

}  // namespace nftrules
