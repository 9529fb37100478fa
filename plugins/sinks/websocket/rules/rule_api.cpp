#include "rule_api.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <utility>
#include <vector>

namespace rules {
namespace {

constexpr std::size_t kMostBodyBytes = std::size_t{1} << 20;

Answer refuse(int status, std::string why) { return {.status = status, .body = std::move(why) + '\n'}; }

// RFC 4122, of random bytes.
std::string random_id() {
  std::array<std::uint8_t, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("no random bytes");
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::array<char, 4> text{};
    (void)std::snprintf(text.data(), text.size(), "%02x", bytes.at(i));
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += text.data();
  }
  return out;
}

bool has_id(const Json& rule) {
  const Json* const id = find_key(rule, "RuleId");
  return id != nullptr && !(id->is_string() && id->get_ref<const std::string&>().empty());
}

// Where the rule has one, in whatever case.
void set_id(Json& rule, const Json& id) {
  const Json* const present = find_key(rule, "RuleId");
  for (const auto& item : rule.items()) {
    if (&item.value() != present) continue;
    item.value() = id;
    return;
  }
  rule["RuleId"] = id;
}

std::string snooze_of(const Json& rule) {
  const Json* const until = find_key(rule, "snooze_until");
  return until == nullptr || !until->is_string() ? std::string() : until->get<std::string>();
}

// As an element of an array that is indented.
std::string indented(const Json& rule) {
  std::string out;
  for (const char c : rule.dump(2)) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

// The text of the rule that is to stand in the file.
std::string text_of(Shape shape, const Entry* before, Json rule) {
  if (shape != Shape::alerts) return indented(rule);
  // A rule that is exchanged stays the same to those who know it by its id, as at SPR.
  if (before != nullptr) {
    const Json was = parse_strict(before->raw, Twice::allowed);
    if (has_id(was)) {
      set_id(rule, *find_key(was, "RuleId"));
      return indented(rule);
    }
  }
  // One that is made anew, by a copy for instance, is another one.
  set_id(rule, random_id());
  return indented(rule);
}

}  // namespace

Answer RuleApi::handle(const Call& call) {
  if (call.method == Method::get) {
    if (call.index && list_.find(call.shape, *call.index) == nullptr) {
      return refuse(400, "there is no rule of that number");
    }
    return {.status = 200, .body = array_of(call.shape)};
  }
  if (call.method == Method::remove && !call.index) {
    return refuse(400, "name the rule that is to be removed by its number");
  }
  Json rule;
  if (call.method == Method::put) {
    if (call.body.size() > kMostBodyBytes) return refuse(400, "the rule is longer than 1 MiB");
    try {
      rule = parse_strict(call.body);
      if (rule.is_array()) throw std::invalid_argument("one rule at a time: an object, no array");
      if (const Shape found = shape_of(rule); found != call.shape) {
        throw std::invalid_argument("this is a rule for /" + std::string(name_of(found)));
      }
    } catch (const std::invalid_argument& error) {
      return refuse(400, error.what());
    }
  }
  // Those of nfbus wait for one another from the reading on.
  const nfbus::Result<nfbus::util::Descriptor> lock = list_.lock();
  if (!lock) return refuse(409, lock.error().text);
  constexpr int kMostAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    Answer answer = change(call, rule);
    // Somebody else changes the file at the same moment: what he wrote counts, too.
    if (answer.status != 0) return answer;
    if (attempt == kMostAttempts) return refuse(409, answer.body);
  }
}

// status 0: to be tried again.
Answer RuleApi::change(const Call& call, const Json& rule) {
  const auto& [shape, method, index, body, may_change] = call;
  if (!list_.refresh()) return refuse(409, list_.file_error() + "; nothing was changed, so that it is not lost");
  if (may_change && !may_change(array_of(shape))) {
    return refuse(412, "the rules are others by now, and their numbers, too: read them again");
  }
  const Entry* const before = index ? list_.find(shape, *index) : nullptr;
  if (index && before == nullptr) return refuse(400, "there is no rule of that number");
  std::vector<std::string> raws;
  try {
    if (method == Method::put) {
      check(shape, before, rule);
      if (only_snoozes(before, rule)) return snooze(*before->own, snooze_of(rule));
    }
    for (const Entry& entry : list_.entries()) {
      if (&entry != before) {
        raws.push_back(entry.raw);
      } else if (method == Method::put) {
        raws.push_back(text_of(shape, before, rule));
      }
    }
    if (method == Method::put && before == nullptr) raws.push_back(text_of(shape, before, rule));
  } catch (const std::invalid_argument& error) {
    return refuse(400, error.what());
  }
  if (raws.size() > kMostRules) return refuse(400, "there are " + std::to_string(kMostRules) + " rules, no more");
  // A snooze is of one rule: it ends with it, and another one that is called the same is not snoozed.
  const std::string was_called = before != nullptr && before->own != nullptr ? before->own->name() : std::string();
  const std::string is_called = method == Method::put && shape == Shape::rules ? rule.value("name", "") : std::string();
  const bool is_another = was_called != is_called;
  if (is_another && (before == nullptr || before->own != nullptr)) state_.forget_snooze(is_called);
  if (const auto replaced = list_.replace(raws); !replaced.ok()) {
    const bool is_busy = replaced.error().code == nfbus::Code::busy;
    if (is_busy) return {.status = 0, .body = replaced.error().text};
    return refuse(replaced.error().code == nfbus::Code::invalid ? 400 : 500, replaced.error().text);
  }
  if (is_another && !was_called.empty()) state_.forget_snooze(was_called);
  // What the file says of the snooze is the last word, also where it says what it said before.
  OwnRule* const changed = method == Method::put && index ? list_.find(shape, *index)->own : nullptr;
  if (changed != nullptr && changed->has_other_snooze()) return snooze(*changed, snooze_of(rule));
  return {.status = 200, .body = array_of(shape)};
}

Answer RuleApi::snooze(OwnRule& rule, const std::string& until) {
  const std::string was = rule.snooze_until();
  rule.snooze(until);
  if (const auto written = state_.write(); !written.ok()) {
    rule.snooze(was);
    return refuse(500, written.error().text);
  }
  return {.status = 200, .body = array_of(Shape::rules)};
}

void RuleApi::check(Shape shape, const Entry* before, const Json& rule) const {
  State nothing(around_.host, {});
  const auto compiled = compile_rule(rule, shape, around_, nothing);
  if (shape != Shape::rules) return;
  for (const Entry& entry : list_.entries()) {
    if (&entry != before && entry.own != nullptr && entry.own->name() == compiled->name()) {
      throw std::invalid_argument("name: another rule is called " + in_quotes(compiled->name()) +
                                  ", too; each has a name of its own");
    }
  }
}

bool RuleApi::only_snoozes(const Entry* before, const Json& rule) const {
  if (before == nullptr || before->own == nullptr || !state_.is_kept()) return false;
  Json was = parse_strict(before->raw);
  Json now = rule;
  was.erase("snooze_until");
  now.erase("snooze_until");
  // In whatever order the keys stand.
  return nlohmann::json::parse(was.dump()) == nlohmann::json::parse(now.dump()) &&
         snooze_of(rule) != before->own->snooze_until();
}

std::string RuleApi::array_of(Shape shape) const {
  std::string out = "[";
  for (const Entry& entry : list_.entries()) {
    if (entry.shape != shape) continue;
    if (out.size() > 1) out += ',';
    if (entry.own == nullptr || !entry.own->has_other_snooze()) {
      out += entry.raw;
      continue;
    }
    Json rule = parse_strict(entry.raw);
    const std::string until = entry.own->snooze_until();
    rule["snooze_until"] = until.empty() ? Json() : Json(until);
    out += rule.dump();
  }
  return out + ']';
}

}  // namespace rules
