#include "statement_texts.hpp"

#include <gtest/gtest.h>

namespace {

using nftrules::split_limited;
using nftrules::with_group;

TEST(FindLog, ReadsItsOptionsInAnyOrder) {
  const std::string rule = R"(iifname "log" counter log  group 7 prefix "lan:in " snaplen 64 queue-threshold 1 accept)";
  const auto log = nftrules::find_log(rule);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->prefix, "lan:in ");
  EXPECT_EQ(log->group, 7);
  EXPECT_EQ(rule.substr(log->begin, log->end - log->begin),
            R"(log  group 7 prefix "lan:in " snaplen 64 queue-threshold 1)");
  EXPECT_EQ(nftrules::find_log(rule, log->end), std::nullopt);
}

TEST(FindLog, ACutStatementIsReadAsFarAsItGoes) {
  for (const char* rule :
       {"log", "log prefix", "log prefix \"a", "log group", "log group 99999", "log flags", "log level"}) {
    const auto log = nftrules::find_log(rule);
    ASSERT_TRUE(log) << rule;
    EXPECT_EQ(log->end, std::string(rule).size()) << rule;
    EXPECT_EQ(log->group, std::nullopt) << rule;
  }
}

TEST(WithGroup, ExchangesTheStatementAndKeepsTheRest) {
  EXPECT_EQ(with_group(R"(iifname "lan0" counter log prefix "drop:in " drop comment "see log")", "drop:in ", 3),
            R"(iifname "lan0" counter log prefix "drop:in " group 3 drop comment "see log")");
  EXPECT_EQ(with_group(R"(log prefix "a" level info flags tcp sequence,options flags ip options accept)", "a", 0),
            R"(log prefix "a" group 0 accept)");
  EXPECT_EQ(with_group("log flags all", "", 1), "log group 1");
  EXPECT_EQ(with_group(R"(log prefix "a" group 1 log prefix "a" drop)", "a", 2),
            R"(log prefix "a" group 1 log prefix "a" group 2 drop)");
}

TEST(WithGroup, IsNoneWithoutSuchAStatement) {
  EXPECT_EQ(with_group("", "a", 0), std::nullopt);
  EXPECT_EQ(with_group(R"(log prefix "b" drop)", "a", 0), std::nullopt);
  EXPECT_EQ(with_group(R"(iifname "log" drop comment "log prefix")", "", 0), std::nullopt);
}

TEST(SplitLimited, MakesALimitedLogAndAVerdictForAll) {
  const auto two = split_limited(
      R"(iifname "wan" tcp dport { 22, 80 } limit rate 10/second burst 5 packets log prefix "a " group 0 drop comment "x")",
      "drop");
  ASSERT_TRUE(two);
  EXPECT_EQ(
      two->log,
      R"(iifname "wan" tcp dport { 22, 80 } limit rate 10/second burst 5 packets log prefix "a " group 0 comment "x")");
  EXPECT_EQ(two->verdict, R"(iifname "wan" tcp dport { 22, 80 } drop)");
}

TEST(SplitLimited, KnowsLimitsOfBytesAndRejects) {
  const auto reject =
      split_limited(R"(limit rate 1 kbytes/minute log prefix "a" reject with icmpx admin-prohibited)", "reject");
  ASSERT_TRUE(reject);
  EXPECT_EQ(reject->verdict, "reject with icmpx admin-prohibited");
}

TEST(SplitLimited, IsNoneOfWhatItDoesNotKnow) {
  EXPECT_EQ(split_limited("", "drop"), std::nullopt);
  EXPECT_EQ(split_limited(R"(limit name "slow" log prefix "a" drop)", "drop"), std::nullopt);
  EXPECT_EQ(split_limited(R"(limit rate 1/hour drop)", "drop"), std::nullopt);
  EXPECT_EQ(split_limited(R"(limit rate 1/hour log prefix "a" drop counter)", "drop"), std::nullopt);
  for (const char* rule :
       {R"(log prefix "a" limit rate 5/minute drop)", R"(limit rate 5/minute limit rate 1/second log drop)",
        R"(limit rate 5/minute counter log drop)", R"(limit rate 3/hour tcp dport vmap { 22 : accept } log drop)",
        R"(update @m { ip saddr limit rate 10/second } limit rate 5/second log drop)",
        R"(meta mark set 1 limit rate 5/second log drop)", R"(limit rate 5/second log tcp dport 7 drop)"}) {
    EXPECT_EQ(split_limited(rule, "drop"), std::nullopt) << rule;
  }
}

}  // namespace
