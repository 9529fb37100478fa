#include "state.hpp"

#include "atomic_file.hpp"
#include "json.hpp"
#include "text.hpp"

#include "../../../lib/ascii.hpp"
#include "../../../lib/utf8.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

namespace rules {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMostRules = 20'000;
constexpr std::size_t kMostKeyBytes = 4096;
constexpr std::int64_t kPauseNs = 2'000'000'000;
constexpr std::int64_t kLongPauseNs = 10'000'000'000;
constexpr std::size_t kMuchBytes = std::size_t{1} << 20;

using nfbus::Result;

// It is no file of ours.
struct Foreign : std::exception {};

[[noreturn]] void wrong(const std::string& what) { throw std::invalid_argument(what); }

std::string text_of(const Json& value, const char* what) {
  if (!value.is_string()) wrong(std::string(what) + " is no text");
  return value.get<std::string>();
}

// Empty: not snoozed.
std::string time_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  std::string text = text_of(*found, key);
  if (!text.empty() && !time_of(text)) wrong(std::string(key) + " is no time");
  return text;
}

}  // namespace

State::State(nfbus::Host host, std::string path, std::size_t most_bytes)
    : host_(host), path_(std::move(path)), most_bytes_(most_bytes) {}

Result<void> State::claim() {
  if (path_.empty()) return {};
  Result<nfbus::util::Descriptor> claimed = rules::claim(path_);
  if (!claimed) return nfbus::Error{claimed.error().code, "state_file: " + claimed.error().text};
  claim_ = std::move(*claimed);
  return {};
}

void State::load() {
  if (path_.empty()) return;
  const auto file = read_whole(path_, most_bytes_);
  if (!file && file.error().code == nfbus::Code::not_found) return;
  std::string what;
  if (!file && file.error().code != nfbus::Code::invalid) {
    is_foreign_ = true;  // it may hold all that was seen
    host_.warning(file.error().text +
                  ": what rules had seen is not known, and what they see is not kept beyond a restart; the file stays "
                  "as it is, and is read at the next start");
    return;
  }
  if (!file) {
    what = file.error().text;
  } else {
    try {
      read(file->text);
      return;
    } catch (const Foreign&) {
      is_foreign_ = true;
      host_.warning(path_ +
                    " holds something else, and stays as it is: what rules see is not kept beyond a restart; name "
                    "another state_file");
      return;
    } catch (const std::exception& error) {
      what = path_ + " is broken (" + error.what() + ')';
    }
  }
  rules_.clear();
  seen_count_ = 0;
  const bool is_aside = set_aside(path_);
  host_.warning(what + ": what rules had seen is not known, and begins anew" +
                (is_aside ? "; the file is kept as " + path_ + ".broken" : ""));
}

void State::read(std::string_view text) {
  text = output::without_mark(text);
  if (text.find('\0') != std::string_view::npos) wrong("a NUL byte");
  const std::string_view shown = output::trimmed(text);
  if (!shown.empty() && shown.front() != '{') throw Foreign();
  const Json parsed = parse_event(text);
  if (parsed.is_discarded()) wrong("no JSON");
  if (!parsed.is_object() || !parsed.contains("version") || !parsed.contains("rules")) throw Foreign();
  const auto version = parsed.find("version");
  if (version == parsed.end() || *version != kVersion) wrong("not of this version of nfbus");
  const auto all = parsed.find("rules");
  if (all == parsed.end() || !all->is_object() || all->size() > kMostRules) wrong("no rules");
  for (const auto& item : all->items()) {
    const Json& from = item.value();
    if (!from.is_object()) wrong(in_quotes(item.key()) + " is no object");
    RuleState& rule = of(item.key());
    if (const auto first = from.find("first_event_ns"); first != from.end()) {
      if (!first->is_number_integer()) wrong("first_event_ns is no integer");
      rule.first_event_ns = first->get<std::int64_t>();
    }
    if (const auto learned = from.find("has_learned"); learned != from.end()) {
      if (!learned->is_boolean()) wrong("has_learned is neither true nor false");
      rule.has_learned = learned->get<bool>();
    }
    if (const auto snooze = from.find("snooze"); snooze != from.end()) {
      if (!snooze->is_object()) wrong("snooze is no object");
      rule.snooze = Snooze{.until = time_at(*snooze, "until"), .in_file = time_at(*snooze, "in_file")};
    }
    const auto seen = from.find("seen");
    if (seen == from.end()) continue;
    if (!seen->is_array() || seen->size() > kMostSeen) wrong("seen is no list of at most 20,000");
    // The oldest stands first.
    for (const Json& key : *seen) {
      std::string bytes = text_of(key, "what was seen");
      if (bytes.size() > kMostKeyBytes) wrong("what was seen is too long");
      (void)remember(rule, bytes);
    }
  }
  has_changed_ = false;
}

void State::write_in_time(std::int64_t now_ns) {
  if (!has_changed_ || (now_ns >= written_ns_ && now_ns - written_ns_ < pause_ns_)) return;
  written_ns_ = now_ns;
  (void)write();
}

Result<void> State::write() {
  if (!has_changed_ || !is_kept()) return {};
  std::string written = text();
  while (written.size() > most_bytes_ && seen_count_ != 0) {
    forget_oldest();
    written = text();
  }
  pause_ns_ = written.size() > kMuchBytes ? kLongPauseNs : kPauseNs;
  Result<void> replaced = written.size() > most_bytes_
                              ? nfbus::Error{nfbus::Code::invalid, path_ + " would be too long"}
                              : replace_whole(path_, written);
  if (replaced.ok()) {
    has_changed_ = false;
    last_error_.clear();
  } else if (replaced.error().text != last_error_) {
    last_error_ = replaced.error().text;
    host_.warning(last_error_ + ": what rules have seen would be lost at a restart");
  }
  return replaced;
}

RuleState& State::of(const std::string& rule) {
  std::unique_ptr<RuleState>& found = rules_[rule];
  if (!found) found = std::make_unique<RuleState>();
  return *found;
}

void State::forget_snooze(const std::string& rule) {
  const auto found = rules_.find(rule);
  if (found == rules_.end() || !found->second->snooze) return;
  found->second->snooze.reset();
  has_changed_ = true;
}

void State::keep(const std::set<std::string>& in_use) {
  for (auto rule = rules_.begin(); rule != rules_.end();) {
    const RuleState& state = *rule->second;
    const bool is_empty = state.seen.size() == 0 && state.first_event_ns == 0 && !state.snooze;
    if (in_use.contains(rule->first) || (!is_empty && rules_.size() <= kMostRules)) {
      ++rule;
      continue;
    }
    seen_count_ -= state.seen.size();
    rule = rules_.erase(rule);
    has_changed_ = has_changed_ || !is_empty;
  }
}

bool State::remember(RuleState& rule, std::string_view key) {
  if (has_seen(rule, key)) return false;
  if (rule.seen.full()) {
    --seen_count_;  // insert() forgets its oldest
  } else if (seen_count_ == kMostSeenInAll) {
    make_room(rule);
  }
  rule.seen.insert(key, 0);
  ++seen_count_;
  has_changed_ = true;
  return true;
}

// Whoever has more than its share gives its oldest key.
void State::make_room(RuleState& wanting) {
  RuleState* most = &wanting;
  if (wanting.seen.size() * rules_.size() <= kMostSeenInAll) {
    for (const auto& [name, rule] : rules_) {
      if (rule->seen.size() > most->seen.size()) most = rule.get();
    }
  }
  most->seen.pop_oldest();
  --seen_count_;
}

// A quarter of the rule's that has most, so that it is long until the next time.
void State::forget_oldest() {
  RuleState* most = nullptr;
  for (const auto& [name, rule] : rules_) {
    if (most == nullptr || rule->seen.size() > most->seen.size()) most = rule.get();
  }
  for (std::size_t left = (most->seen.size() + 3) / 4; left > 0; --left) {
    most->seen.pop_oldest();
    --seen_count_;
  }
}

std::string State::text() const {
  std::string out = R"({"version":)" + std::to_string(kVersion) + R"(,"rules":{)";
  bool is_first = true;
  for (const auto& [name, rule] : rules_) {
    if (rule->seen.size() == 0 && rule->first_event_ns == 0 && !rule->snooze) continue;
    out += is_first ? "\n" : ",\n";
    is_first = false;
    out += in_quotes(name) + R"(:{"first_event_ns":)" + std::to_string(rule->first_event_ns);
    if (rule->has_learned) out += R"(,"has_learned":true)";
    if (rule->snooze) {
      out += R"(,"snooze":{"until":)" + in_quotes(rule->snooze->until) + R"(,"in_file":)" +
             in_quotes(rule->snooze->in_file) + '}';
    }
    std::vector<std::string_view> keys;
    rule->seen.each_newest([&keys](std::string_view key, char) {
      keys.push_back(key);
      return true;
    });
    out += R"(,"seen":[)";
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
      if (key != keys.rbegin()) out += ',';
      out += in_quotes(*key);
    }
    out += "]}";
  }
  return out + "\n}}\n";
}

}  // namespace rules
