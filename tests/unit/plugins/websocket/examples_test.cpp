// The examples of RULES.md are rules.
#include "rules_fixture.hpp"

#include <sstream>

namespace rules::test {
namespace {

using Examples = RulesTest;

// Those that stand alone: indented by four blanks, from a brace on.
std::vector<std::string> examples() {
  std::istringstream in(
      nfbus::test::read_file(std::string(NFBUS_TEST_DATA) + "/../../plugins/sinks/websocket/RULES.md"));
  std::vector<std::string> out;
  bool is_inside = false;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("    ")) {
      is_inside = false;
      continue;
    }
    if (!is_inside) out.emplace_back();
    is_inside = true;
    out.back() += line + '\n';
  }
  return out;
}

TEST_F(Examples, AreRules) {
  start("[]");
  const std::vector<std::string> all = examples();
  EXPECT_GE(all.size(), 6U);
  for (const std::string& text : all) {
    const json parsed = json::parse(text);
    for (const json& rule : parsed.is_array() ? parsed : json::array({parsed})) {
      EXPECT_NO_THROW((void)book_->try_rule(rule.dump())) << rule;
    }
  }
}

}  // namespace
}  // namespace rules::test
