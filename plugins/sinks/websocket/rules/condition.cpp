#include "condition.hpp"

#include "condition_node.hpp"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace rules {
namespace {

// What a comparison finds at its path; `structure`: an object or an array.
struct Structure {};
using Value = std::variant<std::monostate, bool, double, std::string_view, Structure>;

// failed: the event has no such path, or cannot be compared so; SPR gives up the whole condition then.
// not_yes: no or failed. unknown: any of them.
enum class Outcome : std::uint8_t { yes = 1, no, failed, not_yes, unknown };

Outcome outcome_of(bool holds) noexcept { return holds ? Outcome::yes : Outcome::no; }

// Returns what `text` is as a number, the whole of it.
std::optional<double> number_of(std::string_view text) noexcept {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

template <typename T>
Outcome compare(Comparison comparison, const T& left, const T& right) noexcept {
  switch (comparison) {
    case Comparison::equal: return outcome_of(left == right);
    case Comparison::unequal: return outcome_of(left != right);
    case Comparison::less: return outcome_of(left < right);
    case Comparison::less_or_equal: return outcome_of(left <= right);
    case Comparison::greater: return outcome_of(left > right);
    case Comparison::greater_or_equal: return outcome_of(left >= right);
    default: return Outcome::failed;
  }
}

// Of values that have no order, or not the same type.
Outcome compare_unlike(Comparison comparison, bool are_equal) noexcept {
  if (comparison == Comparison::equal) return outcome_of(are_equal);
  if (comparison == Comparison::unequal) return outcome_of(!are_equal);
  return Outcome::failed;
}

Outcome compare_bool(Comparison comparison, bool left, const Constant& right) noexcept {
  if (const auto* const other = std::get_if<bool>(&right)) return compare_unlike(comparison, left == *other);
  if (const auto* const text = std::get_if<std::string>(&right)) {
    return compare_unlike(comparison, *text == (left ? "true" : "false"));
  }
  return compare_unlike(comparison, false);
}

Outcome compare_number(Comparison comparison, double left, const Constant& right) noexcept {
  if (const auto* const other = std::get_if<double>(&right)) return compare(comparison, left, *other);
  if (const auto* const text = std::get_if<std::string>(&right)) {
    if (const auto number = number_of(*text)) return compare(comparison, left, *number);
  }
  return compare_unlike(comparison, false);
}

Outcome compare_text(Comparison comparison, std::string_view left, const Constant& right) noexcept {
  if (const auto* const other = std::get_if<std::string>(&right)) {
    return compare(comparison, left, std::string_view(*other));
  }
  if (const auto* const number = std::get_if<double>(&right)) {
    if (const auto as_number = number_of(left)) return compare(comparison, *as_number, *number);
  }
  if (const auto* const other = std::get_if<bool>(&right)) {
    return compare_unlike(comparison, left == (*other ? "true" : "false"));
  }
  return compare_unlike(comparison, false);
}

Outcome compare_value(const Condition::Node& node, const Value& value) {
  if (node.pattern) {
    const auto* const text = std::get_if<std::string_view>(&value);
    return text == nullptr ? Outcome::failed : outcome_of(node.pattern->found_in(*text));
  }
  if (const auto* const left = std::get_if<bool>(&value)) return compare_bool(node.comparison, *left, node.constant);
  if (const auto* const left = std::get_if<double>(&value)) {
    return compare_number(node.comparison, *left, node.constant);
  }
  if (const auto* const left = std::get_if<std::string_view>(&value)) {
    return compare_text(node.comparison, *left, node.constant);
  }
  const bool is_null = std::holds_alternative<std::monostate>(value);
  return compare_unlike(node.comparison, is_null && std::holds_alternative<std::monostate>(node.constant));
}

Outcome compare_in_json(const Condition::Node& node, const Json& event) {
  const Json* at = &event;
  for (const std::string& key : node.path) {
    if (at->is_object()) {
      const auto found = at->find(key);
      if (found == at->end()) return Outcome::failed;
      at = &*found;
    } else if (at->is_array()) {
      std::size_t index = 0;
      const char* const end = key.data() + key.size();
      if (std::from_chars(key.data(), end, index).ptr != end || key.empty() || index >= at->size()) {
        return Outcome::failed;
      }
      at = &(*at)[index];
    } else {
      return Outcome::failed;
    }
  }
  if (at->is_boolean()) return compare_value(node, at->get<bool>());
  if (at->is_number()) return compare_value(node, at->get<double>());
  if (at->is_string()) return compare_value(node, std::string_view(at->get_ref<const std::string&>()));
  if (at->is_null()) return compare_value(node, std::monostate());
  return compare_value(node, Structure());
}

Outcome compare_port(const Condition::Node& node, nfbus::Event packet, std::uint32_t layer, bool is_source) {
  if (!packet.has_layer(layer)) return Outcome::failed;
  const auto port = is_source ? packet.source_port() : packet.destination_port();
  return port ? compare_value(node, static_cast<double>(*port)) : Outcome::unknown;
}

Outcome compare_address(const Condition::Node& node, JudgedEvent& packet, bool is_source) {
  const nfbus::Event event = packet.event();
  if (!event.has_layer(NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6)) return Outcome::unknown;
  const auto bytes = is_source ? event.source_bytes() : event.destination_bytes();
  // IPv4 in IPv6 is written in several ways.
  if (bytes.size() != 4 && (bytes.empty() || bytes[0] == 0)) return Outcome::unknown;
  return compare_value(node, is_source ? packet.source() : packet.destination());
}

Outcome compare_name(const Condition::Node& node, std::string_view name) {
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= 0x80) return Outcome::unknown;  // JSON shows what is no UTF-8 as another text
  }
  return compare_value(node, name);
}

Outcome compare_in_headers(const Condition::Node& node, JudgedEvent& judged) {
  const nfbus::Event packet = judged.event();
  switch (node.header_field) {
    case HeaderField::source: return compare_address(node, judged, true);
    case HeaderField::destination: return compare_address(node, judged, false);
    case HeaderField::tcp_source_port: return compare_port(node, packet, NFBUS_LAYER_TCP, true);
    case HeaderField::tcp_destination_port: return compare_port(node, packet, NFBUS_LAYER_TCP, false);
    case HeaderField::udp_source_port: return compare_port(node, packet, NFBUS_LAYER_UDP, true);
    case HeaderField::udp_destination_port: return compare_port(node, packet, NFBUS_LAYER_UDP, false);
    case HeaderField::in_name: return compare_name(node, packet.in_name());
    case HeaderField::out_name: return compare_name(node, packet.out_name());
    case HeaderField::action:
      return compare_name(node, packet.action() == nfbus::Action::blocked ? "blocked" : "allowed");
    default: return Outcome::unknown;
  }
}

// Each joins the outcomes of a node's parts from the left, as SPR's evaluator does it: what settles the node, or fails,
// ends it. Behind a part that is not known nothing is certain but that it does not hold.
class All {
 public:
  // True: it is settled.
  bool add(Outcome part) noexcept {
    if (part == Outcome::yes) return false;
    if (part == Outcome::unknown) {
      outcome_ = Outcome::unknown;
      return false;
    }
    outcome_ = outcome_ == Outcome::unknown ? Outcome::not_yes : part;
    return true;
  }
  [[nodiscard]] Outcome outcome() const noexcept { return outcome_; }

 private:
  Outcome outcome_ = Outcome::yes;
};

class Any {
 public:
  bool add(Outcome part) noexcept {
    const bool is_certain = outcome_ == Outcome::no;
    if (is_certain && (part == Outcome::yes || part == Outcome::failed)) {
      outcome_ = part;
      return true;
    }
    if (part == Outcome::unknown || part == Outcome::yes) outcome_ = Outcome::unknown;
    if (part == Outcome::not_yes && is_certain) outcome_ = Outcome::not_yes;
    return false;
  }
  [[nodiscard]] Outcome outcome() const noexcept { return outcome_; }

 private:
  Outcome outcome_ = Outcome::no;
};

template <typename Compare>
Outcome judge(const Condition::Node& node, const Compare& compare_leaf);

template <typename Join, typename Compare>
Outcome judge_parts(const Condition::Node& node, const Compare& compare_leaf) {
  Join join;
  for (const Condition::Node& part : node.parts) {
    if (join.add(judge(part, compare_leaf))) break;
  }
  return join.outcome();
}

template <typename Compare>
Outcome judge(const Condition::Node& node, const Compare& compare_leaf) {
  switch (node.kind) {
    case Condition::Node::Kind::all: return judge_parts<All>(node, compare_leaf);
    case Condition::Node::Kind::any: return judge_parts<Any>(node, compare_leaf);
    default: return compare_leaf(node);
  }
}

}  // namespace

Condition::Condition(std::string_view text) : root_(std::make_unique<const Node>(parse_condition(text))) {}
Condition::Condition(Condition&& other) noexcept = default;
Condition& Condition::operator=(Condition&& other) noexcept = default;
Condition::~Condition() = default;

bool Condition::holds(const Json& event) const {
  return judge(*root_, [&event](const Node& node) { return compare_in_json(node, event); }) == Outcome::yes;
}

Condition::Guess Condition::guess(JudgedEvent& packet) const {
  switch (judge(*root_, [&packet](const Node& node) { return compare_in_headers(node, packet); })) {
    case Outcome::yes: return Guess::holds;
    case Outcome::unknown: return Guess::unknown;
    default: return Guess::fails;
  }
}

}  // namespace rules
