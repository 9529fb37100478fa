// A plan on a terminal.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace nftrules {

struct PlanStyle {
  bool with_colours = false;
  bool with_notes = true;
};

// Prints the changes as a diff to standard output, the notes below, and the errors to standard error. plan: as the
// privileged part answers (rules_part.hpp).
void print_plan(const nlohmann::json& plan, const PlanStyle& style);
// What others wrote into rules and bans, so that it does not steer the terminal.
std::string printable(std::string text);
// "nfbus: error: TEXT" on standard error; control characters in it are harmless.
void print_error(std::string_view text);
// Who holds the rules, as it answers `status`.
void print_holder(const nlohmann::json& status);

}  // namespace nftrules
