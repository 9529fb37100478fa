#include "condition.hpp"

#include "condition_node.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <type_traits>
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

// What follows compares as gval 1.2.4 does for SPR: numbers and booleans with what can be taken for one, else texts.

// Returns what `text` is as a number, the whole of it, as Go's strconv.ParseFloat; none with 0x or _ in it.
std::optional<double> number_of(std::string_view text) noexcept {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  // "nan(1)" is one in C alone.
  if (text.empty() || stop != end || text.back() == ')') return std::nullopt;
  if (error == std::errc()) return number;
  // Too large is none, too small is 0.
  const std::size_t exponent = text.find_first_of("eE");
  const bool is_small = exponent == std::string_view::npos ? text.find('.') < text.find_first_of("123456789")
                                                           : text.substr(exponent + 1).starts_with('-');
  return error == std::errc::result_out_of_range && is_small ? std::optional(0.0) : std::nullopt;
}

std::optional<double> as_number(const Value& value) noexcept {
  if (const auto* const number = std::get_if<double>(&value)) return *number;
  if (const auto* const text = std::get_if<std::string_view>(&value)) return number_of(*text);
  return std::nullopt;
}

std::optional<bool> as_bool(const Value& value) noexcept {
  if (const auto* const is = std::get_if<bool>(&value)) return *is;
  if (std::holds_alternative<std::monostate>(value)) return false;
  if (const auto* const text = std::get_if<std::string_view>(&value)) {
    if (*text == "true" || *text == "TRUE") return true;
    if (*text == "false" || *text == "FALSE") return false;
  }
  if (const auto number = as_number(value)) return *number != 0;
  return std::nullopt;
}

// A value as Go prints it by "%v". Nothing: an object or a list, which is compared with nothing as a text.
class Printed {
 public:
  explicit Printed(const Value& value) noexcept {
    if (const auto* const text = std::get_if<std::string_view>(&value)) {
      text_ = *text;
    } else if (const auto* const is = std::get_if<bool>(&value)) {
      text_ = *is ? "true" : "false";
    } else if (const auto* const number = std::get_if<double>(&value)) {
      text_ = print(*number);
    } else if (std::holds_alternative<std::monostate>(value)) {
      text_ = "<nil>";
    }
  }
  [[nodiscard]] const std::optional<std::string_view>& text() const noexcept { return text_; }

 private:
  // As few digits as name the number, and an exponent where that is below -4 or above 5.
  std::string_view print(double number) noexcept {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number < 0 ? "-Inf" : "+Inf";
    const double size = std::fabs(number);
    const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e6);
    const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
    const auto [end, error] = std::to_chars(room_.data(), room_.data() + room_.size(), number, format);
    static_cast<void>(error);  // it has room
    return {room_.data(), static_cast<std::size_t>(end - room_.data())};
  }

  std::array<char, 40> room_;
  std::optional<std::string_view> text_;
};

bool are_equal(const Value& left, const Value& right) noexcept {
  const auto* const a = std::get_if<bool>(&left);
  const auto* const b = std::get_if<bool>(&right);
  if (a != nullptr && b != nullptr) return *a == *b;
  const auto number = as_number(left);
  const auto other_number = as_number(right);
  if (number && other_number) return *number == *other_number;
  const auto is = as_bool(left);
  const auto other_is = as_bool(right);
  if (is && other_is) return *is == *other_is;
  const auto* const text = std::get_if<std::string_view>(&left);
  const auto* const other_text = std::get_if<std::string_view>(&right);
  return text != nullptr && other_text != nullptr && *text == *other_text;
}

template <typename T>
Outcome compare_ordered(Comparison comparison, const T& left, const T& right) noexcept {
  switch (comparison) {
    case Comparison::less: return outcome_of(left < right);
    case Comparison::less_or_equal: return outcome_of(left <= right);
    case Comparison::greater: return outcome_of(left > right);
    case Comparison::greater_or_equal: return outcome_of(left >= right);
    default: return Outcome::failed;
  }
}

Outcome compare_order(Comparison comparison, const Value& left, const Value& right) noexcept {
  const bool are_texts =
      std::holds_alternative<std::string_view>(left) && std::holds_alternative<std::string_view>(right);
  const auto number = as_number(left);
  const auto other_number = as_number(right);
  if (!are_texts && number && other_number) return compare_ordered(comparison, *number, *other_number);
  const bool has_null = std::holds_alternative<std::monostate>(left) || std::holds_alternative<std::monostate>(right);
  const Printed text(left);
  const Printed other_text(right);
  if (has_null || !text.text() || !other_text.text()) return Outcome::failed;
  return compare_ordered(comparison, *text.text(), *other_text.text());
}

Value value_of(const Constant& constant) {
  return std::visit(
      [](const auto& is) -> Value {
        using T = std::decay_t<decltype(is)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return std::string_view(is);
        } else {
          return is;
        }
      },
      constant);
}

Outcome compare_value(const Condition::Node& node, const Value& value) {
  if (node.pattern) {
    const Printed printed(value);
    return printed.text() ? outcome_of(node.pattern->found_in(*printed.text())) : Outcome::failed;
  }
  const Value constant = value_of(node.constant);
  if (node.comparison != Comparison::equal && node.comparison != Comparison::unequal) {
    return compare_order(node.comparison, value, constant);
  }
  // Most constants are addresses and names: to look at what else a value may be would cost more than all the rest.
  const auto* const text = node.is_plain_text ? std::get_if<std::string_view>(&value) : nullptr;
  const bool is_equal = text != nullptr ? *text == std::get<std::string_view>(constant) : are_equal(value, constant);
  return outcome_of(is_equal == (node.comparison == Comparison::equal));
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

Condition::Node prepared(Condition::Node node) {
  for (Condition::Node& part : node.parts) part = prepared(std::move(part));
  node.is_plain_text = std::holds_alternative<std::string>(node.constant) && !as_bool(value_of(node.constant));
  return node;
}

}  // namespace

Condition::Condition(std::string_view text) : root_(std::make_unique<const Node>(prepared(parse_condition(text)))) {}
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
