// SPR's form: alerts on the beginning of a topic, and on conditions on its JSON.
#include "condition.hpp"
#include "message_template.hpp"
#include "pattern.hpp"
#include "quiet.hpp"
#include "rule.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace rules {
namespace {

constexpr std::size_t kMostConditions = 64;
constexpr std::size_t kMostActions = 16;
constexpr std::size_t kMostTextBytes = 4096;
constexpr std::size_t kMostTopicBytes = 255;

std::string text_at(const Json& object, std::string_view key, std::size_t most_bytes = kMostTextBytes) {
  const Json* const value = find_key(object, key);
  if (value == nullptr) return {};
  if (!value->is_string()) throw std::invalid_argument(std::string(key) + ": must be a text");
  if (value->get_ref<const std::string&>().size() > most_bytes) {
    throw std::invalid_argument(std::string(key) + ": is longer than " + std::to_string(most_bytes) + " bytes");
  }
  return value->get<std::string>();
}

bool flag_at(const Json& object, std::string_view key) {
  const Json* const value = find_key(object, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) throw std::invalid_argument(std::string(key) + ": must be true or false");
  return value->get<bool>();
}

// Null: there is none; Go writes an empty list so.
const Json* list_at(const Json& object, std::string_view key, std::size_t most) {
  const Json* const value = find_key(object, key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) throw std::invalid_argument(std::string(key) + ": must be a list");
  if (value->size() > most) {
    throw std::invalid_argument(std::string(key) + ": has more than " + std::to_string(most) + " elements");
  }
  return value;
}

std::string place(std::string_view key, std::size_t index) {
  return std::string(key) + '[' + std::to_string(index) + "]";
}

// Which of an event's outermost keys a notification carries.
class GrabbedFields {
 public:
  void add(const std::string& field) {
    if (field.size() >= 2 && field.starts_with('/') && field.ends_with('/')) {
      patterns_.emplace_back(std::string_view(field).substr(1, field.size() - 2));
    } else {
      names_.push_back(field);
    }
  }
  [[nodiscard]] bool empty() const noexcept { return names_.empty() && patterns_.empty(); }
  // Names with dots, as SPR's page offers them, grab what they lead to.
  [[nodiscard]] Json of(const Json& event) const {
    Json out = Json::object();
    if (!event.is_object()) return out;
    for (const auto& item : event.items()) {
      const bool is_wanted = std::any_of(patterns_.begin(), patterns_.end(),
                                         [&item](const Pattern& pattern) { return pattern.found_in(item.key()); });
      if (is_wanted) out[item.key()] = item.value();
    }
    for (const std::string& name : names_) {
      if (const auto found = event.find(name); found != event.end()) {
        out[name] = *found;
      } else if (const Json* const inner = find_path(event, name); inner != nullptr) {
        put(out, name, *inner);
      }
    }
    return out;
  }

 private:
  static void put(Json& out, std::string_view path, const Json& value) {
    Json* at = &out;
    while (at->is_null() || at->is_object()) {
      const std::size_t dot = path.find('.');
      at = &(*at)[std::string(path.substr(0, dot))];
      if (dot == std::string_view::npos) {
        *at = value;
        return;
      }
      path.remove_prefix(dot + 1);
    }
    // A list, or a plain value: what is there already holds it.
  }

  std::vector<std::string> names_;
  std::vector<Pattern> patterns_;
};

struct Action {
  explicit Action(const Json& action) {
    if (!action.is_object()) throw std::invalid_argument("must be an object");
    sends = flag_at(action, "SendNotification");
    stores = flag_at(action, "StoreAlert");
    grabs_event = flag_at(action, "GrabEvent");
    grabs_values = flag_at(action, "GrabValues");
    title = text_at(action, "MessageTitle", kMostTitleBytes);
    body = text_at(action, "MessageBody");
    type = text_at(action, "NotificationType", 64);
    suffix = text_at(action, "BucketSuffix", 128);
    for (const auto& [key, text] : {std::pair("NotificationType", type), std::pair("BucketSuffix", suffix)}) {
      if (!is_clean(text, false)) throw std::invalid_argument(std::string(key) + ": has control characters in it");
    }
    for (const auto& [key, text] : {std::pair("MessageTitle", title), std::pair("MessageBody", body)}) {
      if (!is_clean(text, true)) {
        throw std::invalid_argument(std::string(key) + ": has control characters other than line ends in it");
      }
    }
    const Json* const grabbed = list_at(action, "GrabFields", 256);
    for (std::size_t i = 0; grabbed != nullptr && i < grabbed->size(); ++i) {
      if (!(*grabbed)[i].is_string()) throw std::invalid_argument(place("GrabFields", i) + ": must be a text");
      try {
        fields.add((*grabbed)[i].get<std::string>());
      } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(place("GrabFields", i) + ": " + error.what());
      }
    }
  }

  bool sends = false;
  bool stores = false;
  bool grabs_event = false;
  bool grabs_values = false;
  std::string title;
  std::string body;
  std::string type;
  std::string suffix;
  GrabbedFields fields;
};

std::string severity_of(const std::string& type) {
  constexpr std::array<std::string_view, 5> kKnown = {"info", "success", "warning", "error", "danger"};
  return std::find(kKnown.begin(), kKnown.end(), type) == kKnown.end() ? "info" : type;
}

class Alert final : public Rule {
 public:
  explicit Alert(const Json& rule)
      : topic_prefix_(text_at(rule, "TopicPrefix", kMostTopicBytes)),
        name_(text_at(rule, "Name", kMostTitleBytes)),
        rule_id_(text_at(rule, "RuleId", 128)),
        matches_any_(flag_at(rule, "MatchAnyOne")),
        inverts_(flag_at(rule, "InvertRule")),
        is_disabled_(flag_at(rule, "Disabled")) {
    if (topic_prefix_.empty()) throw std::invalid_argument("TopicPrefix: is missing or empty");
    if (name_.empty()) throw std::invalid_argument("Name: is missing or empty");
    const Json* const conditions = list_at(rule, "Conditions", kMostConditions);
    for (std::size_t i = 0; conditions != nullptr && i < conditions->size(); ++i) add_condition((*conditions)[i], i);
    const Json* const actions = list_at(rule, "Actions", kMostActions);
    if (actions == nullptr || actions->empty()) throw std::invalid_argument("Actions: at least one is required");
    for (std::size_t i = 0; i < actions->size(); ++i) {
      try {
        actions_.emplace_back((*actions)[i]);
      } catch (const std::invalid_argument& error) {
        const std::string what = error.what();
        const bool has_key = what.find(':') < what.find(' ');
        throw std::invalid_argument(place("Actions", i) + (has_key ? "." : ": ") + what);
      }
    }
  }

  void judge(JudgedEvent& event, std::int64_t now_ns, std::vector<Notification>& out) override {
    if (is_disabled_ || !event.event().topic().starts_with(topic_prefix_)) return;
    const std::optional<std::size_t> held = conditions_that_hold(event);
    if (!held) return;
    note_match(event.event());
    bool is_told = false;
    bool is_too_much = false;
    for (const Action& action : actions_) {
      if (!action.sends && !action.stores) continue;
      if (!limit_.may_tell(now_ns)) {
        is_too_much = true;
        break;
      }
      is_told = true;
      ++counters_.told;
      out.push_back(notification_of(event, action, *held));
    }
    if (is_told || !is_too_much) return;
    ++counters_.held_back;
    limit_.hold(now_ns);
  }
  void tick(std::int64_t now_ns, std::vector<Notification>& out) override {
    tell_held(limit_.take_held(now_ns), now_ns, out);
  }
  void finish(std::int64_t now_ns, std::vector<Notification>& out) override {
    tell_held(limit_.take_all_held(), now_ns, out);
  }
  void take_over(Rule& before, std::int64_t now_ns, std::vector<Notification>& out) override {
    // Nobody would ask it any more.
    if (is_disabled_) before.finish(now_ns, out);
    Rule::take_over(before, now_ns, out);
    limit_.take_over(static_cast<Alert&>(before).limit_);
  }
  void clock_jumped(std::int64_t from_ns, std::int64_t to_ns) override { limit_.clock_jumped(to_ns - from_ns); }

  [[nodiscard]] bool matches(JudgedEvent& event) override {
    return event.event().topic().starts_with(topic_prefix_) && conditions_that_hold(event).has_value();
  }
  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::string id() const override { return rule_id_; }
  [[nodiscard]] std::string severity() const override { return severity_of(actions_.front().type); }
  [[nodiscard]] bool is_disabled() const override { return is_disabled_; }

 private:
  void tell_held(std::uint64_t events, std::int64_t now_ns, std::vector<Notification>& out) {
    if (events == 0) return;
    ++counters_.told;
    out.push_back(held_note(Shape::alerts, name_, severity(), events, limit_.window_s(), now_ns));
  }

  void add_condition(const Json& condition, std::size_t index) {
    const std::string where = place("Conditions", index);
    if (!condition.is_object()) throw std::invalid_argument(where + ": must be an object with a JPath");
    const Json* const path = find_key(condition, "JPath");
    if (path == nullptr || !path->is_string() || path->get_ref<const std::string&>().empty()) {
      throw std::invalid_argument(where + ".JPath: is missing or empty");
    }
    try {
      conditions_.emplace_back(path->get_ref<const std::string&>());
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(where + ".JPath: " + error.what());
    }
  }

  // A rule without conditions holds, inverted or not.
  [[nodiscard]] bool is_satisfied(std::size_t held) const noexcept {
    if (conditions_.empty()) return true;
    const bool is_satisfied = matches_any_ ? held > 0 : held == conditions_.size();
    return is_satisfied != inverts_;
  }

  // What headers say can settle it without the JSON of a packet.
  [[nodiscard]] bool may_be_satisfied(JudgedEvent& event) const {
    if (!event.event().is_packet() || conditions_.empty()) return true;
    std::size_t certain = 0;
    std::size_t possible = 0;
    for (const Condition& condition : conditions_) {
      const Condition::Guess guess = condition.guess(event);
      if (guess == Condition::Guess::holds) ++certain;
      if (guess != Condition::Guess::fails) ++possible;
    }
    return is_satisfied(certain) || is_satisfied(possible);
  }

  // How many; nothing: the rule is not satisfied.
  [[nodiscard]] std::optional<std::size_t> conditions_that_hold(JudgedEvent& event) const {
    if (!may_be_satisfied(event) || event.json().is_discarded()) return std::nullopt;
    std::size_t held = 0;
    for (const Condition& condition : conditions_) {
      if (!condition.holds(event.json())) continue;
      ++held;
      if (matches_any_) break;
    }
    if (!is_satisfied(held)) return std::nullopt;
    return held;
  }

  Notification notification_of(JudgedEvent& event, const Action& action, std::size_t held) const {
    Notification out;
    out.shape = Shape::alerts;
    out.rule = name_;
    out.severity = severity_of(action.type);
    out.title = fill_spr_template(action.title, event.json(), event.around().name_of, kMostTitleBytes);
    std::replace(out.title.begin(), out.title.end(), '\n', ' ');
    out.message = fill_spr_template(action.body, event.json(), event.around().name_of, kMostMessageBytes);
    append_clean(out.topic, event.event().topic());
    out.time_ns = event.event().time_ns();
    out.is_for_clients = action.sends;
    out.frame_type = "alert:" + out.topic + ':' + action.suffix;
    const std::string data = data_of(event, action, held, out);
    out.frame_data = data + R"(,"State":""})";
    out.bus_topic = out.frame_type;
    shorten(out.bus_topic, kMostTopicBytes);
    out.bus_text = data + R"(,"State":"","Name":)" + in_quotes(name_) + R"(,"Count":1,"Window":0})";
    return out;
  }

  // As SPR writes it, without its end.
  [[nodiscard]] std::string data_of(JudgedEvent& event, const Action& action, std::size_t held,
                                    const Notification& filled) const {
    std::string out = R"({"Topic":)" + in_quotes(filled.topic) + R"(,"RuleId":)" + in_quotes(rule_id_);
    if (!action.type.empty()) out += R"(,"NotificationType":)" + in_quotes(action.type);
    if (!filled.title.empty()) out += R"(,"Title":)" + in_quotes(filled.title);
    if (!filled.message.empty()) out += R"(,"Body":)" + in_quotes(filled.message);
    if (!action.grabs_event && !action.grabs_values) return out;
    const std::string copy = event.copy();
    if (copy.empty() && (action.fields.empty() || action.grabs_values)) return out + R"(,"Truncated":true)";
    if (action.grabs_event) out += R"(,"Event":)" + (action.fields.empty() ? copy : grabbed(event, action));
    if (action.grabs_values) {
      // Each condition gives what its filter leaves of the list of one event. So many that they would fill a line of
      // the bus are told once.
      const std::size_t times = copy.size() * held > kMostEventBytes ? std::min<std::size_t>(held, 1) : held;
      out += R"(,"Values":[)";
      for (std::size_t i = 0; i < times; ++i) out += (i == 0 ? "[" : ",[") + copy + ']';
      out += ']';
    }
    return out;
  }
  static std::string grabbed(JudgedEvent& event, const Action& action) {
    std::string out = action.fields.of(event.json()).dump(-1, ' ', false, Json::error_handler_t::replace);
    return out.size() > kMostEventBytes ? "{}" : out;
  }

  const std::string topic_prefix_;
  const std::string name_;
  const std::string rule_id_;
  const bool matches_any_;
  const bool inverts_;
  const bool is_disabled_;
  std::vector<Condition> conditions_;
  std::vector<Action> actions_;
  FloodLimit limit_{kMostPerSecond};
};

}  // namespace

std::unique_ptr<Rule> compile_alert(const Json& rule) { return std::make_unique<Alert>(rule); }

}  // namespace rules
