// Rules as bytes: read, one statement exchanged, and what a rule may say.
#include "ruleset.hpp"
#include "attributes.hpp"
#include "insertion.hpp"
#include "settings.hpp"
#include "tug_of_war.hpp"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <string>
#include <string_view>

namespace nftrules {
namespace {

std::string expression(std::string_view name, const std::string& data) {
  AttributeWriter inner;
  inner.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, data);
  AttributeWriter outer;
  outer.nested(NFTA_LIST_ELEM, inner.bytes());
  return outer.bytes();
}

std::string verdict(std::int32_t code, std::string_view chain = {}) {
  AttributeWriter parts;
  parts.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
  if (!chain.empty()) parts.text(NFTA_VERDICT_CHAIN, chain);
  AttributeWriter value;
  value.nested(NFTA_DATA_VERDICT, parts.bytes());
  AttributeWriter data;
  data.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).nested(NFTA_IMMEDIATE_DATA, value.bytes());
  return expression("immediate", data.bytes());
}

std::string log(std::string_view prefix, std::optional<std::uint16_t> group) {
  return expression("log", log_attributes({.prefix = std::string(prefix), .group = group}));
}

std::string lookup(std::string_view set, bool is_map = false) {
  AttributeWriter data;
  data.text(NFTA_LOOKUP_SET, set);
  if (is_map) data.be32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
  return expression("lookup", data.bytes());
}

Rule rule(const std::string& expressions, const std::string& userdata = {}) {
  AttributeWriter writer;
  writer.text(NFTA_RULE_TABLE, "filter").text(NFTA_RULE_CHAIN, "c").be64(NFTA_RULE_HANDLE, 0x1'0000'0002);
  writer.nested(NFTA_RULE_EXPRESSIONS, expressions);
  if (!userdata.empty()) writer.put(NFTA_RULE_USERDATA, userdata);
  return rule_of(
      {.type = NFT_MSG_NEWRULE, .flags = 0, .family = NFPROTO_INET, .attributes = writer.bytes(), .what = {}});
}

TEST(RuleOf, ReadsPlaceCommentLogsAndWhatItMentions) {
  const std::string userdata = std::string("\x01\x02zz", 4) + std::string("\x00\x06hello\x00", 8);
  const Rule read = rule(lookup("lan") + log("DRP:INP ", 7) + verdict(NFT_JUMP, "next"), userdata);
  EXPECT_EQ(to_string(read.table), "inet filter");
  EXPECT_EQ(read.chain, "c");
  EXPECT_EQ(read.handle, 0x1'0000'0002U);
  EXPECT_EQ(read.comment, "hello");
  EXPECT_EQ(read.mentions, (std::vector<std::string>{"@lan", "jump next"}));
  ASSERT_EQ(read.logs.size(), 1U);
  EXPECT_EQ(read.logs[0], (LogStatement{.prefix = "DRP:INP ", .group = 7}));
}

TEST(RuleOf, CutBytesAreReadAsFarAsTheyGo) {
  const std::string whole = log("DRP:INP ", 7) + verdict(NF_DROP);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Rule read = rule(whole.substr(0, size));
    EXPECT_LE(read.logs.size(), 1U);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char byte : {'\x00', '\x01', '\x7f', '\xff'}) {
      std::string broken = whole;
      broken[at] = byte;
      static_cast<void>(with_log(broken, 0, {.prefix = "x", .group = 1}));
      static_cast<void>(why_not_log_only(rule(broken)));
    }
  }
}

TEST(WithLog, LeavesAllOtherBytesAsTheyAre) {
  const std::string unknown = expression("newer", std::string("\x05\x00\x01\x80\xff\x00\x00\x00", 8));
  const std::string before = unknown + log("one", 1) + expression("counter", "abcd") + log("two", 2) + unknown;
  const std::string after = unknown + log("one", 1) + expression("counter", "abcd") + log("drop:x ", 9) + unknown;
  EXPECT_EQ(with_log(before, 1, {.prefix = "drop:x ", .group = 9}), after);
}

TEST(LogStatement, IsWrittenAsNftDoes) {
  EXPECT_EQ(to_string(LogStatement{.prefix = "a b", .group = 0}), R"(log prefix "a b" group 0)");
  EXPECT_EQ(to_string(LogStatement{.prefix = "a", .group = 1, .snaplen = 64, .queue_threshold = 2}),
            R"(log prefix "a" group 1 snaplen 64 queue-threshold 2)");
  EXPECT_EQ(to_string(LogStatement{.prefix = "", .level = 4}), "log");
  EXPECT_EQ(to_string(LogStatement{.prefix = "", .level = 6}), "log level info");
  EXPECT_EQ(to_string(LogStatement{.prefix = "", .level = 7, .flags = 0x2f}), "log level debug flags all");
  EXPECT_EQ(to_string(LogStatement{.prefix = "", .level = 4, .flags = 0x0b}),
            "log flags tcp sequence,options flags skuid");
}

TEST(WhyNotLogOnly, NamesWhatDecidesOrChanges) {
  EXPECT_EQ(why_not_log_only(rule(lookup("a") + log("a", 1))), "");
  EXPECT_NE(why_not_log_only(rule(log("a", 1) + verdict(NF_ACCEPT))), "");
  EXPECT_NE(why_not_log_only(rule(log("a", 1) + verdict(NFT_JUMP, "c"))), "");
  EXPECT_NE(why_not_log_only(rule(lookup("map", true) + log("a", 1))), "");
  EXPECT_NE(why_not_log_only(rule(log("a", 1) + expression("newer", ""))), "");
  EXPECT_NE(why_not_log_only(rule(log("a", std::nullopt))), "");
  EXPECT_NE(why_not_log_only(rule(lookup("a"))), "");
  AttributeWriter set_mark;
  set_mark.be32(NFTA_META_KEY, NFT_META_MARK).be32(NFTA_META_SREG, 1);
  EXPECT_NE(why_not_log_only(rule(log("a", 1) + expression("meta", set_mark.bytes()))), "");
}

TEST(TableName, HasAFamilyAndAName) {
  EXPECT_EQ(to_string(*table_name_of("inet  filter")), "inet filter");
  EXPECT_EQ(to_string(*table_name_of("nat")), "ip nat");
  for (const char* wrong : {"", "inet ", "inet a b", "ipx a"}) EXPECT_FALSE(table_name_of(wrong).ok()) << wrong;
}

TEST(PlainPrefix, IsAsATopicIsMade) {
  EXPECT_EQ(plain_prefix(" DRP:Inp \t"), "drp:inp");
  EXPECT_EQ(plain_prefix("  "), "");
}

TEST(TugOfWar, PausesAfterTooManyRepairsWithinAMinute) {
  using std::chrono::seconds;
  TugOfWar tug;
  TugOfWar::Clock::time_point now{seconds(1000)};
  for (std::size_t i = 1; i < TugOfWar::kMostRepairs; ++i) EXPECT_FALSE(tug.repaired(now += seconds(1)));
  EXPECT_TRUE(tug.may_repair(now));
  EXPECT_TRUE(tug.repaired(now += seconds(1)));
  EXPECT_FALSE(tug.may_repair(now + TugOfWar::kPause - seconds(1)));
  EXPECT_TRUE(tug.may_repair(now + TugOfWar::kPause));
  now += TugOfWar::kPause;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(tug.repaired(now += seconds(7)));
}

}  // namespace
}  // namespace nftrules
