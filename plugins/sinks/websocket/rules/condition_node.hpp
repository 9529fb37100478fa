// What a condition is compiled to.
#pragma once

#include "condition.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rules {

enum class Comparison : std::uint8_t { equal = 1, unequal, less, less_or_equal, greater, greater_or_equal, matches };

// std::monostate: null.
using Constant = std::variant<std::monostate, bool, double, std::string>;

// Where a packet's headers have a value, too.
enum class HeaderField : std::uint8_t {
  none = 1,
  source,
  destination,
  tcp_source_port,
  tcp_destination_port,
  udp_source_port,
  udp_destination_port,
  in_name,
  out_name,
  action
};

struct Condition::Node {
  enum class Kind : std::uint8_t { comparison = 1, all, any };
  Kind kind = Kind::comparison;
  std::vector<Node> parts = {};  // of `all` and `any`
  // Of a comparison.
  std::vector<std::string> path = {};
  HeaderField header_field = HeaderField::none;
  Comparison comparison = Comparison::equal;
  Constant constant = {};
  bool is_plain_text = false;  // the constant: it can be taken for neither a number nor a boolean
  std::optional<Pattern> pattern = {};
};

// Throws std::invalid_argument.
[[nodiscard]] Condition::Node parse_condition(std::string_view text);

}  // namespace rules
