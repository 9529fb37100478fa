#include "own_rule.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace rules {
namespace {

constexpr std::size_t kMostNameBytes = 128;
constexpr std::size_t kMostTitle = 256;
constexpr std::size_t kMostMessage = 2048;
constexpr std::size_t kMostFields = 8;
constexpr std::int64_t kDay_s = 86'400;

[[noreturn]] void fail(std::string_view key, const std::string& why) {
  throw std::invalid_argument(std::string(key) + ": " + why);
}

std::string text_of(std::string_view key, const Json& value, std::size_t most_bytes) {
  if (!value.is_string()) fail(key, "must be a text");
  if (value.get_ref<const std::string&>().size() > most_bytes) {
    fail(key, "is longer than " + std::to_string(most_bytes) + " bytes");
  }
  return value.get<std::string>();
}

std::uint32_t number_of(std::string_view key, const Json& value, std::int64_t most) {
  const bool is_in_range =
      value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() <= static_cast<double>(most);
  if (!is_in_range) fail(key, "must be an integer, 0 to " + std::to_string(most));
  return value.get<std::uint32_t>();
}

std::vector<std::string> names_of(std::string_view key, const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array() || value.size() > kMostFields) {
    fail(key, "must be a field, or a list of at most " + std::to_string(kMostFields));
  }
  std::vector<std::string> out;
  for (const Json& name : value) {
    if (!name.is_string()) fail(key, "must be a field, or a list of fields");
    out.push_back(name.get<std::string>());
  }
  return out;
}

// A topic that no rule judges: else rules would judge what they tell themselves.
bool is_never_judged(const Json& topic) {
  if (topic.is_array()) return !topic.empty() && std::all_of(topic.begin(), topic.end(), is_never_judged);
  if (!topic.is_string()) return false;
  const auto& text = topic.get_ref<const std::string&>();
  return text == "nfbus:status" || text.starts_with("alert:");
}

void check_that_it_can_hold(const Json& match) {
  const Json tables = match.is_array() ? match : Json::array({match});
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (!tables[i].is_object()) continue;  // the host says what is wrong with it
    const auto topic = tables[i].find("topic");
    if (topic == tables[i].end() || !is_never_judged(*topic)) continue;
    fail((match.is_array() ? "match[" + std::to_string(i) + ']' : std::string("match")) + ".topic",
         topic->dump() + " never holds: what rules publish (alert:...) and nfbus:status are judged by no rule");
  }
}

constexpr std::array<std::string_view, 12> kKeys = {"name",         "match",        "severity",   "title",
                                                    "message",      "first_seen",   "cooldown_s", "group_by",
                                                    "max_per_hour", "snooze_until", "learn_s",    "disabled"};
constexpr std::array<std::string_view, 5> kSeverities = {"info", "success", "warning", "error", "danger"};

template <std::size_t N>
std::vector<std::string_view> list_of(const std::array<std::string_view, N>& words) {
  return {words.begin(), words.end()};
}

void set(OwnSettings& out, const std::string& key, const Json& value) {
  if (key == "name") {
    out.name = text_of(key, value, kMostNameBytes);
    if (!is_clean(out.name, false)) fail(key, "has control characters in it");
  } else if (key == "match") {
    if (!value.is_object() && !value.is_array()) fail(key, "must be a table, or a list of tables");
    if (value.is_array() && value.empty())
      fail(key, "is an empty list, which holds for no event; {} holds for each packet");
    check_that_it_can_hold(value);
    out.match_json = value.empty() ? "" : value.dump();
  } else if (key == "severity") {
    out.severity = text_of(key, value, 64);
    if (std::find(kSeverities.begin(), kSeverities.end(), out.severity) == kSeverities.end()) {
      fail(key, in_quotes(out.severity) + " is none of info, success, warning, error, danger" +
                    did_you_mean(out.severity, list_of(kSeverities)));
    }
  } else if (key == "title") {
    out.title = text_of(key, value, kMostTitle);
  } else if (key == "message") {
    out.message = text_of(key, value, kMostMessage);
  } else if (key == "first_seen") {
    out.first_seen = names_of(key, value);
    if (out.first_seen.empty()) fail(key, "names no field, of which nothing is ever new; name one, or leave it out");
  } else if (key == "group_by") {
    out.group_by = names_of(key, value);
  } else if (key == "cooldown_s") {
    out.cooldown_s = number_of(key, value, kDay_s);
  } else if (key == "max_per_hour") {
    out.max_per_hour = number_of(key, value, 100'000);
  } else if (key == "learn_s") {
    out.learn_s = number_of(key, value, 366 * kDay_s);
  } else if (key == "snooze_until") {
    out.snooze_until = text_of(key, value, 64);
    if (!out.snooze_until.empty() && !time_of(out.snooze_until)) {
      fail(key, in_quotes(out.snooze_until) + " is no time of RFC 3339, as \"2026-12-24T18:00:00Z\"");
    }
  } else if (key == "disabled") {
    if (!value.is_boolean()) fail(key, "must be true or false");
    out.is_disabled = value.get<bool>();
  } else {
    throw std::invalid_argument(in_quotes(key) + " is an unknown key" + did_you_mean(key, list_of(kKeys)));
  }
}

}  // namespace

OwnSettings own_settings_of(const Json& rule) {
  OwnSettings out;
  for (const auto& item : rule.items()) {
    const bool is_null_for_none = item.value().is_null() && item.key() != "name" && item.key() != "match";
    const bool is_known = std::find(kKeys.begin(), kKeys.end(), item.key()) != kKeys.end();
    if (!is_null_for_none || !is_known) set(out, item.key(), item.value());
  }
  if (out.name.empty()) fail("name", "is missing or empty");
  // Else what is new would be lost among the repeats of something else.
  if (const auto group = rule.find("group_by"); group == rule.end() || group->is_null()) out.group_by = out.first_seen;
  if (out.learn_s != 0 && out.first_seen.empty()) fail("learn_s", "is of use with first_seen alone");
  return out;
}

}  // namespace rules
