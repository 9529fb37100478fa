#include <nfbus/testing/fake_host.hpp>
#include <nfbus/testing/fake_packets.hpp>

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using nfbus::test::FilterDriver;
using nfbus::test::Packet;
using nfbus::test::Packets;
using nfbus::test::Values;
using nlohmann::json;
using testing::Each;
using testing::ElementsAre;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kStartNs = 1'700'000'000 * kSecondNs;

Values options(double rate_per_s, double burst, const std::vector<std::string>& key = {"src", "prefix"},
               std::int64_t max_keys = 1000) {
  Values values = {{"/rate", rate_per_s},     {"/burst", burst},
                   {"/max_keys", max_keys},   {"/summary_s", std::int64_t{10}},
                   {"/topic", std::string()}, {"/key", nfbus::test::Array{key.size()}}};
  for (std::size_t i = 0; i < key.size(); ++i) values["/key/" + std::to_string(i)] = key[i];
  return values;
}

// So many packets, `every_ns` apart; how many of them passed.
std::size_t passed(FilterDriver& filter, std::size_t count, std::int64_t from_ns, std::int64_t every_ns,
                   Packet packet = {}) {
  Packets packets;
  for (std::size_t i = 0; i < count; ++i) {
    packet.time_ns = from_ns + static_cast<std::int64_t>(i) * every_ns;
    packets.add(packet);
  }
  const auto verdicts = filter.apply(packets.items());
  EXPECT_EQ(verdicts.size(), count);
  return static_cast<std::size_t>(std::count(verdicts.begin(), verdicts.end(), "keep"));
}

json last_summary(const FilterDriver& filter) { return json::parse(filter.host.published.back().second); }

TEST(RateLimit, LetsABurstThroughAndThenItsRate) {
  FilterDriver filter(nfbus::test::plugin(), options(10, 5));
  EXPECT_EQ(passed(filter, 100, kStartNs, 0), 5U);
  EXPECT_EQ(passed(filter, 1000, kStartNs + kSecondNs / 100, kSecondNs / 100), 100U) << "10 a second for 10 s";
  EXPECT_EQ(passed(filter, 100, kStartNs + 3600 * kSecondNs, 0), 5U) << "a rest fills no more than the burst";
  EXPECT_EQ(filter.counter("passed"), 110U);
  EXPECT_EQ(filter.counter("dropped"), 1090U);
}

TEST(RateLimit, LimitsEachKeyByItself) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  EXPECT_EQ(passed(filter, 3, kStartNs, 0, {.source = "10.0.0.1"}), 1U);
  EXPECT_EQ(passed(filter, 3, kStartNs, 0, {.source = "10.0.0.2"}), 1U);
  EXPECT_EQ(passed(filter, 3, kStartNs, 0, {.source = "10.0.0.1", .prefix = "other "}), 1U);
  EXPECT_EQ(passed(filter, 3, kStartNs, 0, {.source = "10.0.0.1", .destination = "10.9.9.9"}), 0U);
}

TEST(RateLimit, HasOneLimitForAllWithoutAKey) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 2, {}));
  EXPECT_EQ(passed(filter, 3, kStartNs, 0, {.source = "10.0.0.1"}), 2U);
  EXPECT_EQ(passed(filter, 3, kStartNs, 0, {.source = "10.0.0.2"}), 0U);
}

TEST(RateLimit, GainsNothingFromPacketsThatAreALittleOutOfOrder) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  Packets packets;
  for (int i = 0; i < 100; ++i) packets.add({.time_ns = kStartNs + (i % 2) * kSecondNs / 2});
  const auto verdicts = filter.apply(packets.items());
  EXPECT_EQ(std::count(verdicts.begin(), verdicts.end(), "keep"), 1);
}

TEST(RateLimit, GoesOnByTheNewTimeWhenTheClockIsSetBack) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  EXPECT_EQ(passed(filter, 2, kStartNs, 0), 1U);
  const std::int64_t back_ns = kStartNs - 3600 * kSecondNs;
  EXPECT_EQ(passed(filter, 2, back_ns, 0), 0U) << "a jump gives no tokens";
  EXPECT_EQ(passed(filter, 1, back_ns + 2 * kSecondNs, 0), 1U) << "nor does it stop the clock for an hour";
}

TEST(RateLimit, TellsAtTheEndWhatItDropped) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  passed(filter, 4, kStartNs, kSecondNs / 4, {.source = "10.0.0.1"});
  passed(filter, 3, kStartNs, 0, {.source = "2001:db8::1", .destination = "2001:db8::2", .prefix = "drop "});
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  ASSERT_EQ(filter.host.published.size(), 1U);
  EXPECT_EQ(filter.host.published.front().first, "ratelimit:test");
  EXPECT_EQ(filter.host.published.front().second,
            R"({"Filter":"test","From":"2023-11-14T22:13:20.000Z","To":"2023-11-14T22:13:20.750Z","Dropped":5,"Keys":[)"
            R"({"src":"10.0.0.1","prefix":"lan:in ","Dropped":3},{"src":"2001:db8::1","prefix":"drop ","Dropped":2}],)"
            R"("Other":0})");
}

TEST(RateLimit, TellsEachDropOnceAndNothingWhenThereIsNone) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  passed(filter, 1, kStartNs, 0);
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_TRUE(filter.host.published.empty());
  passed(filter, 3, kStartNs, 0);
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_EQ(last_summary(filter)["Dropped"], 3);
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_EQ(filter.host.published.size(), 1U);
  passed(filter, 2, kStartNs, 0);
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_EQ(last_summary(filter)["Dropped"], 2);
  EXPECT_EQ(last_summary(filter)["Keys"][0]["Dropped"], 2);
}

TEST(RateLimit, CountsAlsoWhatItForgotAsOther) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1, {"src"}, 2));
  passed(filter, 10, kStartNs, 0, {.source = "10.0.0.1"});
  passed(filter, 5, kStartNs, 0, {.source = "10.0.0.2"});
  passed(filter, 3, kStartNs, 0, {.source = "10.0.0.3"});
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_EQ(last_summary(filter)["Dropped"], 15);
  EXPECT_EQ(last_summary(filter)["Keys"],
            json::parse(R"([{"src":"10.0.0.2","Dropped":4},{"src":"10.0.0.3","Dropped":2}])"));
  EXPECT_EQ(last_summary(filter)["Other"], 9);
  EXPECT_EQ(filter.counter("forgotten"), 1U);
}

TEST(RateLimit, KeepsItsSummaryShortAndAddsUpAllTheSame) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1, {"src", "prefix"}, 5000));
  for (int i = 0; i < 2000; ++i) {
    const std::string source = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    passed(filter, i < 3 ? 10 : 3, kStartNs, 0, {.source = source, .prefix = std::string(127, '\x01')});
  }
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_LT(filter.host.published.back().second.size(), 25'000U);
  const json summary = last_summary(filter);
  EXPECT_EQ(summary["Dropped"], 3 * 9 + 1997 * 2);
  std::uint64_t sum = summary["Other"];
  for (const json& key : summary["Keys"]) sum += key["Dropped"].get<std::uint64_t>();
  EXPECT_EQ(sum, summary["Dropped"]);
  EXPECT_EQ(summary["Keys"][2]["Dropped"], 9);
  EXPECT_EQ(summary["Keys"][3]["Dropped"], 2);
}

TEST(RateLimit, IsValidUtf8WhateverThePrefix) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  passed(filter, 2, kStartNs, 0, {.prefix = "\xff\"drop "});
  EXPECT_EQ(filter.finish(), NFBUS_OK);
  EXPECT_EQ(last_summary(filter)["Keys"][0]["prefix"], "\xef\xbf\xbd\"drop ");
}

TEST(RateLimit, KeepsItsCountsWhereTheHostRefusesItsTopic) {
  Values values = options(1, 1);
  values["/topic"] = "nft:drop:";
  FilterDriver filter(nfbus::test::plugin(), values);
  passed(filter, 3, kStartNs, 0);
  EXPECT_EQ(filter.finish(), NFBUS_FATAL);
  EXPECT_EQ(filter.error(), R"(the host lets no plugin publish under the topic "nft:drop:": change `topic`)");
  EXPECT_EQ(filter.finish(), NFBUS_FATAL) << "what was not told is not forgotten";
  EXPECT_EQ(filter.counter("summaries"), 0U);
}

TEST(RateLimit, WaitsForItsIntervalBetweenSummaries) {
  FilterDriver filter(nfbus::test::plugin(), options(1, 1));
  passed(filter, 3, kStartNs, 0);
  EXPECT_EQ(filter.tick(), NFBUS_OK);
  EXPECT_TRUE(filter.host.published.empty());
}

}  // namespace
