#include "rule.hpp"

#include <stdexcept>

namespace rules {
namespace {

std::string keys_of(const Json& rule) {
  constexpr std::size_t kMostShown = 5;
  std::string out;
  std::size_t shown = 0;
  for (const auto& item : rule.items()) {
    if (++shown > kMostShown) return out + ", ...";
    out += (out.empty() ? "" : ", ") + in_quotes(item.key());
  }
  return out.empty() ? "no keys" : "the keys " + out;
}

}  // namespace

Shape shape_of(const Json& rule) {
  if (!rule.is_object()) throw std::invalid_argument("is no object: a rule is { ... }");
  if (find_key(rule, "TopicPrefix") != nullptr || find_key(rule, "Actions") != nullptr) return Shape::alerts;
  const Json* const conditions = find_key(rule, "Conditions");
  if (conditions != nullptr && conditions->is_object() && find_key(rule, "Notification") != nullptr)
    return Shape::notifications;
  if (rule.contains("match")) return Shape::rules;
  throw std::invalid_argument("has " + keys_of(rule) +
                              ": a rule has name and match, or TopicPrefix and Actions, or Conditions as an object and "
                              "Notification");
}

std::string_view name_of(Shape shape) {
  switch (shape) {
    case Shape::notifications: return "notifications";
    case Shape::alerts: return "alerts";
    default: return "rules";
  }
}

std::unique_ptr<Rule> compile_rule(const Json& rule, Shape shape, const Surroundings& around, State& state) {
  switch (shape) {
    case Shape::notifications: return compile_packet_rule(rule, around);
    case Shape::alerts: return compile_alert(rule);
    default: return compile_own_rule(rule, around, state);
  }
}

}  // namespace rules
