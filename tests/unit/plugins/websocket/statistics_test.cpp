#include "statistics.hpp"

#include "made_event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace websocket {
namespace {

using nfbus::host::test::ipv4;
using nfbus::host::test::ipv6;
using nfbus::host::test::MadeEvent;
using nfbus::host::test::tcp;
using nfbus::host::test::udp;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kHalfHour = 1800;
constexpr std::int64_t kNow = 1000 * kHalfHour;  // at a half hour's begin

class StatisticsTest : public ::testing::Test {
 protected:
  void add(const MadeEvent& made, std::int64_t now_s, int times = 1) {
    for (int i = 0; i < times; ++i) statistics_.add(nfbus::Event(&made.event), now_s);
  }
  void packet(std::int64_t now_s, int times = 1, const std::string& source = "10.0.0.2", unsigned port = 53) {
    add(MadeEvent(ipv4(source, "10.0.0.1", 17, udp(4000, port))), now_s, times);
  }
  [[nodiscard]] json totals(std::int64_t now_s) const {
    std::string out;
    statistics_.append_totals(out, now_s, [this](auto) { return std::string_view(name_); });
    return json::parse('{' + out + '}');
  }
  json series(unsigned step_s, std::int64_t now_s) {
    return json::parse(statistics_.series_json(step_s, now_s, 1'000'000'007));
  }
  [[nodiscard]] json seen() const {
    std::string out;
    statistics_.append_seen(out);
    return json::parse('{' + out + '}');
  }

  Statistics statistics_;
  std::string name_;  // of every address
};

std::vector<std::uint32_t> with(std::size_t size, std::initializer_list<std::pair<std::size_t, std::uint32_t>> given) {
  std::vector<std::uint32_t> out(size);
  for (const auto& [at, value] : given) out[at] = value;
  return out;
}

TEST(Series, EndsNow) {
  Series series(5);
  EXPECT_THAT(series.values(0), ElementsAre(0, 0, 0, 0, 0));
  series.add(2);
  series.add(2);
  series.add(3);
  EXPECT_THAT(series.values(3), ElementsAre(0, 0, 0, 2, 1));
  EXPECT_THAT(series.values(4), ElementsAre(0, 0, 2, 1, 0));
  EXPECT_EQ(series.at(2), 2U);
  EXPECT_EQ(series.at(4), 0U);
  EXPECT_EQ(series.at(5), 0U);   // to come
  EXPECT_EQ(series.at(-1), 0U);  // gone
  EXPECT_THAT(series.values(7), ElementsAre(1, 0, 0, 0, 0));
  EXPECT_THAT(series.values(8), ElementsAre(0, 0, 0, 0, 0));
}

TEST(Series, IsEmptyAfterAJumpOfTime) {
  for (const std::int64_t jump : {4, 5, 6, 9, 10, 1000, 1'000'000'000}) {
    Series series(5);
    for (std::int64_t now = 10; now < 15; ++now) series.add(now);
    series.add(14 + jump);
    std::vector<std::uint32_t> expected(5);
    expected[4] = 1;
    if (jump == 4) expected[0] = 1;
    EXPECT_EQ(series.values(14 + jump), expected) << jump;
  }
}

TEST(Series, TakesTimeThatGoesBackAsNow) {
  Series series(5);
  series.add(10);
  series.add(7);
  EXPECT_THAT(series.values(7), ElementsAre(0, 0, 0, 0, 2));
}

TEST_F(StatisticsTest, EachEventIsCountedOnce) {
  packet(kNow, 3);
  MadeEvent allowed(ipv4("10.0.0.3", "10.0.0.1", 6, tcp(1, 443, 2)));
  allowed.event.action = NFBUS_ACTION_ALLOWED;
  allowed.set(allowed.event.topic, "nft:lan:in");
  add(allowed, kNow, 2);
  add(MadeEvent::message("wifi:auth"), kNow, 4);
  const json now = totals(kNow + 1);
  EXPECT_EQ(now["events"], 9);
  EXPECT_EQ(now["packets"], 5);
  EXPECT_EQ(now["blocked"], 3);
  EXPECT_EQ(now["allowed"], 2);
  EXPECT_EQ(now["messages"], 4);
  EXPECT_EQ(now["rate"], 9);
  EXPECT_EQ(now["topics"], json::parse(R"([{"topic":"nft:drop:input","count":3,"last":3},
      {"topic":"nft:lan:in","count":2,"last":2},{"topic":"wifi:auth","count":4,"last":4}])"));
  EXPECT_EQ(now["top"]["src"], json::parse(R"([["10.0.0.2",3,0],["10.0.0.3",2,0]])"));
  EXPECT_EQ(now["top"]["dst"], json::parse(R"([["10.0.0.1",5,0]])"));
  EXPECT_EQ(now["top"]["port"], json::parse(R"([["udp/53",3,0],["tcp/443",2,0]])"));
  EXPECT_EQ(now["top"]["domain"], json::array());
  name_ = "the \"printer\"";
  const json named = totals(kNow + 1)["top"];
  EXPECT_EQ(named["dst"], json::parse(R"([["10.0.0.1",5,0,"the \"printer\""]])"));
  EXPECT_EQ(named["port"], now["top"]["port"]);
  EXPECT_EQ(totals(kNow + 2)["rate"], 0);
}

TEST_F(StatisticsTest, ManyTopicsAreOne) {
  for (int i = 0; i < 200; ++i) add(MadeEvent::message("topic:" + std::to_string(100 + i)), kNow);
  add(MadeEvent::message("topic:100"), kNow);
  const json topics = totals(kNow)["topics"];
  ASSERT_THAT(topics, SizeIs(64));
  std::uint64_t sum = 0;
  for (const json& topic : topics) sum += topic["count"].get<std::uint64_t>();
  EXPECT_EQ(sum, 201U);
  EXPECT_EQ(topics[0]["topic"], "other");
  EXPECT_EQ(topics[0]["count"], 137);
  EXPECT_EQ(topics[1], json({{"topic", "topic:100"}, {"count", 2}, {"last", 0}}));
  EXPECT_THAT(series(1, kNow)["topics"], SizeIs(64));
}

TEST_F(StatisticsTest, ASeriesEndsNowAndForgetsWhatIsOld) {
  packet(kNow, 2);
  packet(kNow + 11, 5);
  json made = series(1, kNow + 20);
  EXPECT_EQ(made["step"], 1);
  EXPECT_EQ(made["end_ms"], 1000);
  EXPECT_EQ(made["blocked"], with(300, {{279, 2}, {290, 5}}));
  EXPECT_EQ(made["topics"][0]["counts"], made["blocked"]);
  EXPECT_EQ(made["allowed"], with(300, {}));
  made = series(10, kNow + 20);
  EXPECT_EQ(made["step"], 10);
  EXPECT_EQ(made["blocked"], with(360, {{357, 2}, {358, 5}}));
  EXPECT_EQ(series(1, kNow + 299)["blocked"], with(300, {{0, 2}, {11, 5}}));
  EXPECT_EQ(series(1, kNow + 311)["blocked"], with(300, {}));
  EXPECT_EQ(series(10, kNow + 10'000)["blocked"], with(360, {}));
  EXPECT_EQ(totals(kNow + 10'000)["packets"], 7);
}

TEST_F(StatisticsTest, TopTalkersAreOfTheHalfHourThatRunsAndTheOneBefore) {
  packet(kNow + kHalfHour - 1, 3, "10.0.0.2");
  packet(kNow + kHalfHour, 1, "10.0.0.2");
  packet(kNow + kHalfHour, 2, "10.0.0.3");
  EXPECT_EQ(totals(kNow + kHalfHour)["top"]["src"], json::parse(R"([["10.0.0.2",4,0],["10.0.0.3",2,0]])"));
  packet(kNow + 2 * kHalfHour, 1, "10.0.0.4");
  EXPECT_EQ(totals(kNow + 2 * kHalfHour)["top"]["src"],
            json::parse(R"([["10.0.0.3",2,0],["10.0.0.2",1,0],["10.0.0.4",1,0]])"));
  packet(kNow + 4 * kHalfHour, 1, "10.0.0.5");
  EXPECT_EQ(totals(kNow + 4 * kHalfHour)["top"]["src"], json::parse(R"([["10.0.0.5",1,0]])"));
}

// They are "of the last hour": on a quiet firewall, too.
TEST_F(StatisticsTest, TopTalkersGoWhenNothingComes) {
  packet(kNow, 3, "10.0.0.2");
  packet(kNow + kHalfHour, 2, "10.0.0.3");
  EXPECT_THAT(totals(kNow + 2 * kHalfHour - 1)["top"]["src"], SizeIs(2));
  EXPECT_EQ(totals(kNow + 2 * kHalfHour)["top"]["src"], json::parse(R"([["10.0.0.3",2,0]])"));
  EXPECT_THAT(totals(kNow + 3 * kHalfHour)["top"]["src"], IsEmpty());
  EXPECT_THAT(totals(kNow + 3 * kHalfHour)["top"]["port"], IsEmpty());
  EXPECT_EQ(totals(kNow + 3 * kHalfHour)["packets"], 5);
}

TEST_F(StatisticsTest, AFloodOfAddressesHidesNoTalker) {
  for (int i = 0; i < 20'000; ++i) {
    packet(
        kNow, 1,
        "172." + std::to_string(16 + i / 65536) + '.' + std::to_string(i / 256 % 256) + '.' + std::to_string(i % 256));
    if (i % 20 == 0) packet(kNow, 1, "10.0.0.9", 22);
  }
  const json top = totals(kNow)["top"];
  ASSERT_THAT(top["src"], SizeIs(10));
  EXPECT_EQ(top["src"][0][0], "10.0.0.9");
  EXPECT_GE(top["src"][0][1], 1000);
  EXPECT_LE(top["src"][0][1].get<std::uint64_t>() - top["src"][0][2].get<std::uint64_t>(), 1000U);
  EXPECT_EQ(top["port"], json::parse(R"([["udp/53",20000,0],["udp/22",1000,0]])"));
}

TEST_F(StatisticsTest, DomainsAndAddressesOfIpv6AreShown) {
  MadeEvent packet(ipv6("2001:db8::1", "2001:db8::2", 17, udp(1, 443)));
  packet.annotate("RecentDomainDst", R"({"Name":"example.org."})");
  add(packet, kNow);
  const json top = totals(kNow)["top"];
  EXPECT_EQ(top["src"], json::parse(R"([["2001:db8::1",1,0]])"));
  EXPECT_EQ(top["domain"], json::parse(R"([["example.org",1,0]])"));
}

TEST_F(StatisticsTest, WhatWasSeenIsOffered) {
  EXPECT_EQ(seen(), json::parse(R"({"topic":[],"in":[],"out":[]})"));
  MadeEvent packet(ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2)));
  for (int i = 0; i < 300; ++i) {
    packet.set(packet.event.in_name, "eth" + std::to_string(i));
    packet.set(packet.event.out_name, i % 2 == 0 ? "wan\"\xff" : "");
    add(packet, kNow);
  }
  const json all = seen();
  EXPECT_THAT(all["in"], SizeIs(256));
  EXPECT_EQ(all["out"], json::parse(R"(["wan\"�"])"));
  EXPECT_EQ(all["topic"], json::parse(R"(["nft:drop:input"])"));
}

}  // namespace
}  // namespace websocket
