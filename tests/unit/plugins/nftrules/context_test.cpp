#include "logging_rules.hpp"

#include <nfbus/testing/fake_host.hpp>
#include <nfbus/testing/fake_packets.hpp>

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using nfbus::test::FilterDriver;
using nfbus::test::Packets;
using nftrules::LoggingRule;
using nlohmann::json;

const nfbus_plugin& context() { return nfbus::test::plugin(1); }

LoggingRule rule(std::uint64_t handle, std::string prefix, std::uint16_t group = 0) {
  LoggingRule out;
  out.table = "ip t";
  out.chain = "c";
  out.handle = handle;
  out.prefix = std::move(prefix);
  out.group = group;
  return out;
}

// A privileged part with a ruleset that the test changes.
struct Part {
  std::vector<LoggingRule> rules;
  std::uint64_t version = 1;
  std::size_t polls = 0;
  std::size_t pages = 0;
  std::string failure;

  void change(std::vector<LoggingRule> now) {
    rules = std::move(now);
    ++version;
  }
  nfbus::Result<std::string> request(std::string_view request) {
    if (!failure.empty()) return nfbus::Error{nfbus::Code::io, failure};
    const json asked = json::parse(request);
    if (asked.at("do") == "poll") {
      ++polls;
      return json{{"version", version}}.dump();
    }
    ++pages;
    return page_of(rules, asked.at("from").get<std::size_t>(), version).dump();
  }
};

class ContextTest : public testing::Test {
 protected:
  ContextTest() {
    filter_.host.privileged_part = [this](std::string_view request) { return part_.request(request); };
  }

  std::string judge(const std::string& prefix, std::uint16_t group = 0) {
    Packets packets;
    packets.add({.prefix = prefix}).group = group;
    return filter_.apply(packets.items()).front();
  }
  // Ticks until it wants no more of them.
  void read() {
    std::size_t before = 0;
    do {
      before = filter_.host.wakes;
      ASSERT_EQ(filter_.tick(), NFBUS_OK) << filter_.error();
    } while (filter_.host.wakes != before);
  }

  Part part_;
  FilterDriver filter_{context(), {}};
};

TEST_F(ContextTest, DeclaresItsFields) {
  ASSERT_EQ(context().annotates_count, 2U);
  EXPECT_EQ(nfbus::to_view(context().annotates[0]), "rule");
  EXPECT_EQ(nfbus::to_view(context().annotates[1]), "rule_candidates");
}

TEST_F(ContextTest, NamesTheRuleOfAPacketOrThoseThatItMayBe) {
  part_.rules = {rule(1, "one "), rule(2, "Two"), rule(3, "two "), rule(4, "one", 5)};
  read();
  EXPECT_EQ(judge("one "), "keep rule=ip t c handle 1");
  EXPECT_EQ(judge("one", 5), "keep rule=ip t c handle 4");
  EXPECT_EQ(judge("two"), R"(keep rule_candidates=["ip t c handle 2","ip t c handle 3"])");
  EXPECT_EQ(judge("three"), "keep");
  EXPECT_EQ(filter_.counter("annotated"), 3U);
  EXPECT_EQ(filter_.counter("unknown"), 1U);
}

TEST_F(ContextTest, AsksForTheListOnlyWhenItHasChanged) {
  part_.rules = {rule(1, "one")};
  read();
  read();
  EXPECT_EQ(part_.polls, 2U);
  EXPECT_EQ(part_.pages, 1U);
  EXPECT_EQ(judge("one"), "keep rule=ip t c handle 1");
  part_.change({rule(2, "one")});
  read();
  EXPECT_EQ(judge("one"), "keep rule=ip t c handle 2");
  part_.change({});
  read();
  EXPECT_EQ(judge("one"), "keep");
}

TEST_F(ContextTest, ReadsALongListPageByPageAndKeepsTheOldOneMeanwhile) {
  part_.rules = {rule(1, "one")};
  read();
  std::vector<LoggingRule> many;
  for (std::uint64_t handle = 10; handle < 5000; ++handle) many.push_back(rule(handle, "p" + std::to_string(handle)));
  many.push_back(rule(5000, "one"));
  part_.change(many);
  filter_.tick();
  EXPECT_EQ(filter_.host.wakes, 1U);
  EXPECT_EQ(judge("one"), "keep rule=ip t c handle 1");
  EXPECT_EQ(judge("p10"), "keep");
  read();
  EXPECT_GT(part_.pages, 5U);
  EXPECT_EQ(judge("one"), "keep rule=ip t c handle 5000");
  EXPECT_EQ(judge("p10"), "keep rule=ip t c handle 10");
}

TEST_F(ContextTest, BeginsAnewWhenRulesChangeBetweenPages) {
  for (std::uint64_t handle = 10; handle < 5000; ++handle) {
    part_.rules.push_back(rule(handle, "p" + std::to_string(handle)));
  }
  filter_.tick();
  part_.change({rule(1, "p10")});
  read();
  EXPECT_EQ(judge("p10"), "keep rule=ip t c handle 1");
  EXPECT_EQ(judge("p11"), "keep");
}

TEST_F(ContextTest, GoesOnWithWhatItKnowsWhenAnAnswerIsAnErrorAndSaysSoOnce) {
  part_.rules = {rule(1, "one")};
  read();
  part_.failure = "the ruleset changes faster than it can be listed";
  for (int i = 0; i < 100; ++i) EXPECT_EQ(filter_.tick(), NFBUS_OK);
  EXPECT_EQ(judge("one"), "keep rule=ip t c handle 1");
  ASSERT_EQ(filter_.host.logged.size(), 1U);
  EXPECT_THAT(filter_.host.logged[0].second, testing::HasSubstr(part_.failure));
  part_.failure.clear();
  part_.change({rule(2, "one")});
  read();
  EXPECT_EQ(judge("one"), "keep rule=ip t c handle 2");
}

TEST_F(ContextTest, AnswersThatMakeNoSenseAreErrors) {
  for (const char* answer : {"", "{}", "[1]", R"({"version":-1})", R"({"version":2,"rules":[{"table":1}]})"}) {
    filter_.host.privileged_part = [&](std::string_view) -> nfbus::Result<std::string> { return std::string(answer); };
    EXPECT_EQ(filter_.tick(), NFBUS_OK);
    EXPECT_EQ(judge("one"), "keep");
  }
}

TEST_F(ContextTest, WithoutAPrivilegedPartPacketsGoOnUnnamed) {
  filter_.host.privileged_part = nullptr;
  filter_.tick();
  filter_.tick();
  EXPECT_EQ(judge("one"), "keep");
  ASSERT_EQ(filter_.host.logged.size(), 1U);
  EXPECT_THAT(filter_.host.logged[0].second, testing::StartsWith("packets are without their rule"));
}

}  // namespace
