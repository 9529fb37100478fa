#include "diagnosis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/netfilter.h>

#include <string>
#include <vector>

namespace {

using nftrules::diagnose;
using nftrules::Finding;
using nftrules::groups_in;
using nftrules::LoggingRule;
using nftrules::Surroundings;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kWarning = Finding::Level::warning;
constexpr auto kInfo = Finding::Level::info;

LoggingRule rule(std::uint64_t handle, std::string prefix, std::optional<std::uint16_t> group) {
  LoggingRule out;
  out.table = "inet filter";
  out.chain = "forward";
  out.handle = handle;
  out.prefix = std::move(prefix);
  out.group = group;
  return out;
}

Surroundings surroundings(std::vector<LoggingRule> rules) {
  Surroundings around;
  around.sink = "rules";
  around.rules = std::move(rules);
  return around;
}

nftrules::Rewrite rewrite(std::string prefix, std::uint16_t group) {
  nftrules::Rewrite out;
  out.table = {NFPROTO_INET, "filter"};
  out.chain = "forward";
  out.match_prefix = std::move(prefix);
  out.log.prefix = "new ";
  out.log.group = group;
  return out;
}

Surroundings::Captures captures(std::vector<std::uint16_t> groups) {
  return {std::move(groups), [](std::string_view) { return true; }};
}

TEST(Diagnosis, FindsNothingWhereAllIsWell) {
  Surroundings around = surroundings({rule(1, "lan:in ", 0), rule(2, "drop:in ", 1)});
  EXPECT_THAT(diagnose(around), IsEmpty());
  around.captures = captures({0, 1});
  EXPECT_THAT(diagnose(around), IsEmpty());
  EXPECT_THAT(diagnose(surroundings({})), IsEmpty());
}

TEST(Diagnosis, RulesThatLogToSyslogComeWithTheCommandAndTheConfigurationThatMendThem) {
  Surroundings around = surroundings({rule(7, "Drop ", std::nullopt)});
  around.rules[0].text = "ip saddr 10.0.0.0/8 log prefix \"Drop \" drop";
  EXPECT_THAT(
      diagnose(around),
      ElementsAre(Finding{
          kWarning, "inet filter forward handle 7 logs \"Drop \" to syslog, where nfbus does not hear it",
          "nft 'replace rule inet filter forward handle 7 ip saddr 10.0.0.0/8 log prefix \"Drop \" group 0 drop', or "
          "[[sink.rules.rewrite]] with table = \"inet filter\", chain = \"forward\", match_prefix = \"drop\", prefix = "
          "\"Drop \", group = 0"}));
  // Without nft's words, and with the group that the sink knows.
  around.rules[0].text.clear();
  around.settings.rewrites = {rewrite("other", 4)};
  ASSERT_EQ(diagnose(around).size(), 1U);
  EXPECT_THAT(diagnose(around)[0].fix,
              testing::AllOf(testing::StartsWith("[[sink.rules.rewrite]]"), testing::EndsWith("group = 4")));
  // What the sink is to rewrite is well.
  around.settings.rewrites = {rewrite("drop", 4)};
  EXPECT_THAT(diagnose(around), IsEmpty());
}

TEST(Diagnosis, ARuleThatLogsNothingButThePacketIsFoundAsWell) {
  const auto found = diagnose(surroundings({rule(7, "", std::nullopt)}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0].text, HasSubstr("handle 7 logs to syslog"));
  EXPECT_EQ(found[0].fix, "give its log statement a prefix and group 0");
}

TEST(Diagnosis, GroupsThatNobodyListensToAndGroupsThatNoRuleFeeds) {
  Surroundings around = surroundings({rule(1, "a", 0), rule(2, "b", 5), rule(3, "c", 5), rule(4, "d", 6)});
  around.captures = captures({0, 9});
  around.listeners = {6};  // another program
  EXPECT_THAT(
      diagnose(around),
      ElementsAre(Finding{kWarning, "nobody listens to group 5, which inet filter forward handle 2 and 1 more logs to",
                          "add [[capture]] with group = 5 and its action"},
                  Finding{kWarning, "no rule logs to group 9, which a [[capture]] names",
                          "add [[sink.rules.hook]] with group = 9, or take the [[capture]] away"}));
  // Rules of iptables-legacy may feed it.
  around.sees_all_rules = false;
  EXPECT_EQ(diagnose(around).size(), 1U);
  // The sink's own rules will.
  around.sees_all_rules = true;
  around.settings.rewrites = {rewrite("other", 9)};
  EXPECT_EQ(diagnose(around)[1], (Finding{kInfo, "no rule logs to group 9 yet", "nfbus nft apply -c FILE"}));
}

TEST(Diagnosis, PrefixesThatNoSinkWantsAreNamedOnce) {
  Surroundings around = surroundings({rule(1, "Lan:In ", 0), rule(2, "lan:in", 0), rule(3, "drop:in", 0)});
  around.captures = captures({0});
  around.captures->is_wanted = [](std::string_view prefix) { return prefix == "drop:in"; };
  EXPECT_THAT(diagnose(around),
              ElementsAre(Finding{kInfo, "no sink wants what inet filter forward handle 1 logs, \"Lan:In \"",
                                  "add \"nft:lan:in\" to the topics of one, if you want it"}));
}

TEST(Diagnosis, APrefixThatFillsTheKernelsRoomMayBeCut) {
  const auto found = diagnose(surroundings({rule(1, std::string(126, 'a'), 0), rule(2, std::string(127, 'a'), 0)}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0].text, HasSubstr("handle 2 logs with a prefix of 127 characters"));
}

TEST(Diagnosis, ALimitBeforeADropBecomesTwoRules) {
  Surroundings around = surroundings({rule(5, "a ", 0), rule(5, "b ", 0)});
  for (LoggingRule& each : around.rules) {
    each.limited = "drop";
    each.text = "tcp dport 22 limit rate 5/minute log prefix \"a \" group 0 log prefix \"b \" group 0 drop";
  }
  EXPECT_THAT(diagnose(around),
              ElementsAre(Finding{
                  kWarning,
                  "inet filter forward handle 5 limits its drop, too, and not its log alone: packets beyond the limit "
                  "go on",
                  "nft 'replace rule inet filter forward handle 5 tcp dport 22 limit rate 5/minute log prefix \"a \" "
                  "group 0 log prefix \"b \" group 0; add rule inet filter forward position 5 tcp dport 22 drop'"}));
  around.rules.pop_back();
  around.rules[0].text.clear();
  ASSERT_EQ(diagnose(around).size(), 1U);
  EXPECT_THAT(diagnose(around)[0].fix, HasSubstr("a rule of its own"));
}

TEST(Diagnosis, RulesBehindAFlowtableSeeOnlyFirstPackets) {
  Surroundings around = surroundings({rule(5, "a ", 0), rule(6, "b ", std::nullopt)});
  around.rules[0].flowtable = "fast";
  around.rules[0].flow_handle = 3;
  around.settings.rewrites = {rewrite("b", 0)};
  EXPECT_THAT(diagnose(around),
              ElementsAre(Finding{kWarning,
                                  "inet filter forward handle 5 does not log what handle 3 before it adds to flowtable "
                                  "fast: only the first packets of those connections come by",
                                  "if all are wanted: nft 'delete rule inet filter forward handle 3'"}));
}

TEST(Diagnosis, TellsTwentyOfAKindAndHowManyMore) {
  std::vector<LoggingRule> rules;
  for (std::uint64_t handle = 1; handle <= 25; ++handle) rules.push_back(rule(handle, "a ", std::nullopt));
  rules.push_back(rule(26, std::string(127, 'a'), 0));
  const auto found = diagnose(surroundings(rules));
  ASSERT_EQ(found.size(), 22U);
  EXPECT_EQ(found[20], (Finding{kWarning, "and 5 more rules that log to syslog", ""}));
  EXPECT_THAT(found[21].text, HasSubstr("127"));
}

TEST(Diagnosis, ReadsTheKernelsListOfListeners) {
  EXPECT_THAT(groups_in("    0   4711     0 2 65535     10  1\n  300 429496     0 2 65535    100  1\n"),
              ElementsAre(0, 300));
  EXPECT_THAT(groups_in("\n  x\n99999999 1\n"), IsEmpty());
}

}  // namespace
