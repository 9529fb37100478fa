#include "cli/quiet_groups.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

constexpr char kStatus[] = R"({"uptime_s":1510.2,"capture":[{"group":0,"received":4},{"group":300,"received":0}]})";

TEST(QuietGroups, AreThoseFromWhichNothingCameSinceALongStart) {
  const auto found = find_quiet_groups(kStatus);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].instance, "capture.300");
  EXPECT_EQ(found[0].finding.level, log::Level::warning);
  EXPECT_EQ(found[0].finding.text, "no packet has come from group 300 in 25 minutes, since nfbus started");
  EXPECT_NE(found[0].finding.fix.find("grep -w 'group 300'"), std::string::npos);
}

TEST(QuietGroups, OfAHostThatHasJustStartedThereAreNone) {
  EXPECT_TRUE(find_quiet_groups(R"({"uptime_s":599,"capture":[{"group":0,"received":0}]})").empty());
}

TEST(QuietGroups, OfWhatIsNoStatusOfOursThereAreNone) {
  for (const char* status : {"", "[]", "{}", R"({"uptime_s":"x"})", R"({"uptime_s":1000,"capture":[{"group":"a"}]})"}) {
    EXPECT_TRUE(find_quiet_groups(status).empty()) << status;
  }
}

}  // namespace
}  // namespace nfbus::host
