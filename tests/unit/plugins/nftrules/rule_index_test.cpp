#include "rule_index.hpp"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

using nftrules::LoggingRule;
using nftrules::RuleCache;
using nftrules::RuleIndex;
using nlohmann::json;

LoggingRule rule(std::uint64_t handle, std::string prefix, std::uint16_t group, std::string comment = {}) {
  LoggingRule out;
  out.table = "inet filter";
  out.chain = "FORWARD";
  out.handle = handle;
  out.prefix = std::move(prefix);
  out.group = group;
  out.comment = std::move(comment);
  return out;
}

TEST(RuleIndex, NamesTheOneRuleOfAPrefixAndGroupWithItsComment) {
  RuleIndex index;
  index.add(rule(12, "lan:in ", 0, "guests"));
  index.add(rule(13, "lan:in ", 1));
  ASSERT_NE(index.find("lan:in ", 0), nullptr);
  EXPECT_EQ(index.find("lan:in ", 0)->rule, "inet filter FORWARD handle 12 \"guests\"");
  EXPECT_EQ(index.find("lan:in ", 0)->candidates, "");
  EXPECT_EQ(index.find("lan:in ", 1)->rule, "inet filter FORWARD handle 13");
  EXPECT_EQ(index.find("lan:in ", 2), nullptr);
  EXPECT_EQ(index.find("lan:out ", 0), nullptr);
}

TEST(RuleIndex, ComparesPrefixesAsTopicsAreMade) {
  RuleIndex index;
  index.add(rule(1, " Drop:Input\t", 0));
  for (const char* prefix : {"drop:input", "DROP:INPUT ", "\n\v\f\r\t drop:Input "}) {
    EXPECT_NE(index.find(prefix, 0), nullptr) << prefix;
  }
  EXPECT_EQ(index.find("drop: input", 0), nullptr);
  index.add(rule(2, "", 7));
  EXPECT_NE(index.find("  ", 7), nullptr);
}

TEST(RuleIndex, ListsThoseThatShareThemAsJson) {
  RuleIndex index;
  index.add(rule(1, "a", 0, "say \\ it"));
  index.add(rule(2, "A ", 0));
  index.add(rule(3, "a", 0));
  EXPECT_EQ(json::parse(index.find("a", 0)->candidates),
            json({"inet filter FORWARD handle 1 \"say \\ it\"", "inet filter FORWARD handle 2",
                  "inet filter FORWARD handle 3"}));
}

TEST(RuleIndex, ARuleThatLogsTwiceAlikeIsOneRule) {
  RuleIndex index;
  index.add(rule(1, "a", 0));
  index.add(rule(1, "a ", 0));
  EXPECT_EQ(index.find("a", 0)->candidates, "");
  index.add(rule(2, "a", 0));
  index.add(rule(2, "A", 0));
  EXPECT_EQ(json::parse(index.find("a", 0)->candidates).size(), 2U);
}

TEST(RuleIndex, AFieldHasRoomForWhatItLists) {
  RuleIndex index;
  for (std::uint64_t handle = 1; handle <= 20'000; ++handle) index.add(rule(handle, "a", 0));
  const std::string& candidates = index.find("a", 0)->candidates;
  EXPECT_LE(candidates.size(), 4096U);
  EXPECT_GT(candidates.size(), 4000U);
  EXPECT_EQ(json::parse(candidates).front(), "inet filter FORWARD handle 1");
}

TEST(RuleIndex, ANameThatAFieldCannotTakeIsLeftOutOfTheList) {
  RuleIndex index;
  index.add(rule(1, "a", 0, std::string(1000, '\x01')));  // six bytes each in JSON
  index.add(rule(2, "a", 0));
  EXPECT_EQ(json::parse(index.find("a", 0)->candidates), json({"inet filter FORWARD handle 2"}));
}

TEST(RuleIndex, OfMoreRulesThanItHasRoomForItKnowsTheFirstAndCountsTheOthers) {
  RuleIndex index(200);
  index.add(rule(1, "a", 0));
  for (std::uint64_t handle = 2; handle <= 100; ++handle) index.add(rule(handle, "b" + std::to_string(handle), 0));
  EXPECT_NE(index.find("a", 0), nullptr);
  EXPECT_EQ(index.find("b100", 0), nullptr);
  EXPECT_GT(index.left_out(), 90U);
  // Whether it is the only one is known of each that is there.
  index.add(rule(101, "a", 0));
  EXPECT_NE(index.find("a", 0)->candidates, "");
}

TEST(RuleIndex, ARuleThatLogsToSyslogIsNone) {
  RuleIndex index;
  LoggingRule silent = rule(1, "a", 0);
  silent.group.reset();
  index.add(silent);
  EXPECT_EQ(index.find("a", 0), nullptr);
}

TEST(RuleIndex, APrefixThatNoRuleCanHaveIsFoundNowhere) {
  RuleIndex index;
  RuleCache cache;
  index.add(rule(1, std::string(300, 'a'), 0));
  EXPECT_EQ(index.find(std::string(300, 'a'), 0), nullptr);
  EXPECT_EQ(cache.find(index, std::string(300, 'a'), 0), nullptr);
}

TEST(RuleCache, AnswersAsTheIndexForMorePrefixesThanItHolds) {
  RuleIndex index;
  for (std::uint64_t i = 0; i < 1000; ++i)
    index.add(rule(i, "p" + std::to_string(i), static_cast<std::uint16_t>(i % 3)));
  RuleCache cache;
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < 1001; ++i) {
      const std::string prefix = "p" + std::to_string(i);
      for (std::uint16_t group = 0; group < 3; ++group) {
        ASSERT_EQ(cache.find(index, prefix, group), index.find(prefix, group)) << prefix << ' ' << group;
      }
    }
  }
}

TEST(RuleCache, ForgetsWhatWasOfAnotherIndex) {
  RuleCache cache;
  RuleIndex first;
  EXPECT_EQ(cache.find(first, "a", 0), nullptr);
  RuleIndex second;
  second.add(rule(1, "a", 0));
  cache.clear();
  EXPECT_EQ(cache.find(second, "a", 0), second.find("a", 0));
}

}  // namespace
