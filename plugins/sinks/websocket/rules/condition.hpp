// The conditions of SPR's alerts: JSONPath, in the subset that its page writes.
#pragma once

#include "json.hpp"
#include "judged_event.hpp"
#include "pattern.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rules {

// `$[?(@.TCP.DstPort==23 && (@.IP.SrcIP!="10.0.0.1" || @.Prefix=~"^drop"))]`: comparisons (== != < <= > >= =~) of a
// path with a constant, joined by && and ||, with brackets. They are read from the left as SPR does it: a path that the
// event does not have ends it, and the condition does not hold. Values of different types are compared as numbers where
// both can be taken for one ("23"), for == and != else as booleans (0, null and "false" are false, other numbers true),
// in order and by =~ else as texts. Objects and lists equal nothing, and have no order. Thread safety: as a const
// object.
class Condition {
 public:
  // Throws std::invalid_argument, which names what is beyond the subset.
  explicit Condition(std::string_view text);
  Condition(Condition&& other) noexcept;
  Condition& operator=(Condition&& other) noexcept;
  ~Condition();

  [[nodiscard]] bool holds(const Json& event) const;

  enum class Guess : std::uint8_t { holds = 1, fails, unknown };
  // What a packet's headers alone say of it, without its JSON. Allocates nothing.
  [[nodiscard]] Guess guess(JudgedEvent& packet) const;

  struct Node;

 private:
  std::unique_ptr<const Node> root_;
};

}  // namespace rules
