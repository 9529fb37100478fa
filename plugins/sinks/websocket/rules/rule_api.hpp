// /notifications, /alerts and /rules of HTTP: rules are read, added, exchanged and removed.
#pragma once

#include "rule_book.hpp"
#include "rule_list.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace rules {

// Thread safety: none; [worker].
class RuleApi {
 public:
  // All outlive this.
  RuleApi(RuleList& list, State& state, const Surroundings& around) noexcept
      : list_(list), state_(state), around_(around) {}

  // As RuleBook::handle().
  [[nodiscard]] Answer handle(const Call& call);

 private:
  [[nodiscard]] Answer change(const Call& call, const Json& rule);
  [[nodiscard]] Answer snooze(OwnRule& rule, const std::string& until);
  // Throws std::invalid_argument.
  void check(Shape shape, const Entry* before, const Json& rule) const;
  // Returns whether nothing but the snooze differs, which is then noted without a change to the file.
  [[nodiscard]] bool only_snoozes(const Entry* before, const Json& rule) const;
  [[nodiscard]] std::string array_of(Shape shape) const;

  RuleList& list_;
  State& state_;
  const Surroundings& around_;
};

}  // namespace rules
