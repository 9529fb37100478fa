#include "logging_rules.hpp"

#include "attributes.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using nftrules::AttributeWriter;
using nftrules::logging_rules_of;
using nftrules::LoggingPage;
using nftrules::LoggingRule;
using nftrules::Message;
using nftrules::page_of;
using nftrules::read_page;
using nftrules::Rule;

// A rule as the kernel lists it.
class Listed {
 public:
  Listed(std::uint64_t handle, std::string chain = "forward", std::string table = "filter") {
    head_.text(NFTA_RULE_TABLE, table).text(NFTA_RULE_CHAIN, chain).be64(NFTA_RULE_HANDLE, handle);
  }
  Listed& log(std::string_view prefix, int group, std::uint32_t level = 4) {
    AttributeWriter data;
    data.text(NFTA_LOG_PREFIX, prefix);
    if (group >= 0) {
      data.be16(NFTA_LOG_GROUP, static_cast<std::uint16_t>(group));
    } else {
      data.be32(NFTA_LOG_LEVEL, level);
    }
    return add("log", data);
  }
  Listed& limit(bool over = false) {
    AttributeWriter data;
    data.be64(NFTA_LIMIT_RATE, 10).be64(NFTA_LIMIT_UNIT, 1).be32(NFTA_LIMIT_FLAGS, over ? NFT_LIMIT_F_INV : 0);
    return add("limit", data);
  }
  Listed& verdict(std::int32_t code, std::string_view chain = {}) {
    AttributeWriter verdict;
    verdict.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
    if (!chain.empty()) verdict.text(NFTA_VERDICT_CHAIN, chain);
    AttributeWriter value;
    value.nested(NFTA_DATA_VERDICT, verdict.bytes());
    AttributeWriter data;
    data.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).nested(NFTA_IMMEDIATE_DATA, value.bytes());
    return add("immediate", data);
  }
  Listed& flow(std::string_view flowtable) {
    AttributeWriter data;
    data.text(NFTA_FLOW_TABLE_NAME, flowtable);
    return add("flow_offload", data);
  }
  Listed& other(std::string_view name) { return add(name, {}); }
  operator Rule() const {
    AttributeWriter all;
    all.raw(head_.bytes()).nested(NFTA_RULE_EXPRESSIONS, expressions_.bytes());
    Message message;
    message.type = NFT_MSG_NEWRULE;
    message.family = NFPROTO_INET;
    message.attributes = all.bytes();
    return rule_of(message);
  }

 private:
  Listed& add(std::string_view name, const AttributeWriter& data) {
    AttributeWriter expression;
    expression.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, data.bytes());
    expressions_.nested(NFTA_LIST_ELEM, expression.bytes());
    return *this;
  }

  AttributeWriter head_;
  AttributeWriter expressions_;
};

TEST(LoggingRules, AreThoseThatLogOncePerStatement) {
  const std::vector<Rule> rules = {Listed(1).other("counter"), Listed(2).log("one ", 0).log("two ", 3),
                                   Listed(3).log("syslog ", -1)};
  const std::vector<LoggingRule> found = logging_rules_of(rules);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].name(), "inet filter forward handle 2");
  EXPECT_EQ(found[0].prefix, "one ");
  EXPECT_EQ(found[0].group, 0);
  EXPECT_EQ(found[1].prefix, "two ");
  EXPECT_EQ(found[1].group, 3);
  EXPECT_EQ(found[2].handle, 3U);
  EXPECT_EQ(found[2].group, std::nullopt);
}

TEST(LoggingRules, WhatLogsForAuditIsNone) {
  EXPECT_TRUE(logging_rules_of(std::vector<Rule>{Listed(1).log("", -1, 8)}).empty());
}

TEST(LoggingRules, TellTheDropThatALimitOfTheLogHoldsForAsWell) {
  const std::vector<Rule> rules = {Listed(1).limit().log("a", 0).verdict(NF_DROP),
                                   Listed(2).limit().log("a", 0).other("reject"),
                                   Listed(3).log("a", 0).limit().verdict(NFT_JUMP, "next"),
                                   Listed(4).limit().log("a", 0),
                                   Listed(5).log("a", 0).verdict(NF_DROP),
                                   Listed(6).limit(true).log("a", 0).verdict(NF_DROP),
                                   Listed(7).limit().log("a", 0).verdict(NF_ACCEPT),
                                   Listed(8).log("a", 0).limit().verdict(NF_DROP)};
  std::vector<std::string> limited;
  for (const LoggingRule& rule : logging_rules_of(rules)) limited.push_back(rule.limited);
  EXPECT_THAT(limited, testing::ElementsAre("drop", "reject", "", "", "", "", "", ""));
}

TEST(LoggingRules, TellTheFlowtableThatARuleBeforeThemInTheirChainFills) {
  const std::vector<Rule> rules = {Listed(1).log("before", 0),
                                   Listed(2).flow("fast"),
                                   Listed(3).log("behind", 0),
                                   Listed(4).flow("other"),
                                   Listed(5).log("too", 0),
                                   Listed(6, "input").log("in", 0),
                                   Listed(7, "input", "more").log("in", 0)};
  const std::vector<LoggingRule> found = logging_rules_of(rules);
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].flowtable, "");
  EXPECT_EQ(found[1].flowtable, "fast");
  EXPECT_EQ(found[1].flow_handle, 2U);
  EXPECT_EQ(found[2].flowtable, "fast");
  EXPECT_EQ(found[3].flowtable, "");
  EXPECT_EQ(found[4].flowtable, "");
}

TEST(LoggingRules, AskForTheTextOfThoseThatAFindingQuotes) {
  const std::vector<Rule> rules = {Listed(1).log("heard", 0), Listed(2).log("silent", -1),
                                   Listed(3).limit().log("a", 0).verdict(NF_DROP), Listed(4).log("long", -1)};
  const std::vector<LoggingRule> found = logging_rules_of(rules, [](const Rule& rule) {
    return rule.handle == 4 ? std::string(5000, 'x') : "text " + std::to_string(rule.handle);
  });
  std::vector<std::string> texts;
  for (const LoggingRule& rule : found) texts.push_back(rule.text);
  EXPECT_THAT(texts, testing::ElementsAre("", "text 2", "text 3", ""));
}

TEST(LoggingRules, GoThroughPagesAsTheyAre) {
  std::vector<LoggingRule> all;
  for (std::uint64_t handle = 0; handle < 20'000; ++handle) {
    LoggingRule rule;
    rule.table = "inet filter";
    rule.chain = "forward";
    rule.handle = handle;
    rule.prefix = "p" + std::to_string(handle);
    rule.comment = handle % 2 == 0 ? "" : std::string(200, '\x01');
    if (handle % 3 != 0) rule.group = static_cast<std::uint16_t>(handle);
    if (handle % 5 == 0) rule.limited = "drop";
    if (handle % 7 == 0) rule.flowtable = "fast";
    if (handle % 7 == 0) rule.flow_handle = 7;
    if (handle % 11 == 0) rule.text = "log";
    all.push_back(rule);
  }
  std::vector<LoggingRule> read;
  std::size_t pages = 0;
  for (std::optional<std::size_t> from = 0; from; ++pages) {
    const std::string answer = page_of(all, *from, 5).dump();
    ASSERT_LT(answer.size(), std::size_t{1} << 20);
    const auto page = read_page(answer);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->version, 5U);
    read.insert(read.end(), page->rules.begin(), page->rules.end());
    from = page->next;
  }
  EXPECT_GT(pages, 10U);
  ASSERT_EQ(read.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(read[i].name(), all[i].name());
    ASSERT_EQ(read[i].prefix, all[i].prefix);
    ASSERT_EQ(read[i].group, all[i].group);
    ASSERT_EQ(read[i].limited, all[i].limited);
    ASSERT_EQ(read[i].flowtable, all[i].flowtable);
    ASSERT_EQ(read[i].flow_handle, all[i].flow_handle);
    ASSERT_EQ(read[i].text, all[i].text);
  }
}

TEST(LoggingRules, APageBeyondTheEndIsEmptyAndTheLast) {
  const auto page = read_page(page_of({}, 17, 1).dump());
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->rules.empty());
  EXPECT_EQ(page->next, std::nullopt);
}

TEST(LoggingRules, WhatIsNoPageIsAnError) {
  for (const char* answer :
       {"", "[]", "{}", R"({"version":1,"rules":[{}]})", R"({"version":"x","rules":[]})",
        R"({"version":1,"rules":[{"table":"ip t","chain":"c","handle":1,"prefix":"a","group":"0"}]})"}) {
    EXPECT_FALSE(read_page(answer).ok()) << answer;
  }
}

}  // namespace
