#include <nfbus/testing/fake_host.hpp>
#include <nfbus/testing/fake_packets.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using nfbus::test::FilterDriver;
using nfbus::test::Packet;
using nfbus::test::Packets;
using nfbus::test::Values;
using testing::Each;
using testing::ElementsAre;

constexpr std::int64_t kSecondNs = 1'000'000'000;

Values rate(std::int64_t rate, const std::vector<std::string>& key = {}, std::int64_t max_entries = 1000) {
  Values options = {{"/mode", "rate"}, {"/rate", rate}, {"/max_entries", max_entries}};
  options["/key"] = nfbus::test::Array{key.size()};
  for (std::size_t i = 0; i < key.size(); ++i) options["/key/" + std::to_string(i)] = key[i];
  return options;
}

Values flow(std::int64_t timeout_s, std::int64_t max_entries = 1000) {
  return {{"/mode", "flow"}, {"/flow_timeout_s", timeout_s}, {"/max_entries", max_entries}};
}

std::vector<std::string> judge(FilterDriver& filter, const std::vector<Packet>& packets) {
  return filter.apply(Packets(packets).items());
}

TEST(SampleByRate, KeepsTheFirstOfEachNAcrossCalls) {
  FilterDriver filter(nfbus::test::plugin(), rate(3));
  EXPECT_THAT(judge(filter, {{}, {}}), ElementsAre("keep", "drop"));
  EXPECT_THAT(judge(filter, {{}, {}, {}}), ElementsAre("drop", "keep", "drop"));
  EXPECT_EQ(filter.counter("kept"), 2U);
  EXPECT_EQ(filter.counter("dropped"), 3U);
}

TEST(SampleByRate, KeepsEverythingAtRateOne) {
  FilterDriver filter(nfbus::test::plugin(), rate(1));
  EXPECT_THAT(judge(filter, {{}, {}, {}}), Each("keep"));
}

TEST(SampleByRate, CountsForEachValueOfItsKey) {
  FilterDriver filter(nfbus::test::plugin(), rate(2, {"src"}));
  const Packet one = {.source = "192.0.2.1"};
  const Packet other = {.source = "2001:db8::1", .destination = "2001:db8::2"};
  EXPECT_THAT(judge(filter, {one, other, one, one, other}), ElementsAre("keep", "keep", "drop", "keep", "drop"));
}

TEST(SampleByRate, BoundsItsKeysAndCountsThoseForgotten) {
  FilterDriver filter(nfbus::test::plugin(), rate(2, {"src"}, 2));
  EXPECT_THAT(judge(filter, {{.source = "10.0.0.1"}, {.source = "10.0.0.2"}, {.source = "10.0.0.3"}}), Each("keep"));
  EXPECT_EQ(filter.counter("forgotten"), 1U);
  EXPECT_THAT(judge(filter, {{.source = "10.0.0.3"}, {.source = "10.0.0.1"}}), ElementsAre("drop", "keep"));
}

TEST(SampleByFlow, KeepsTheFirstPacketOfBothDirections) {
  for (const auto& [one, other] : {std::pair("192.0.2.1", "198.51.100.1"), std::pair("2001:db8::1", "2001:db8::2")}) {
    FilterDriver filter(nfbus::test::plugin(), flow(60));
    const Packet there = {.source = one, .destination = other, .source_port = 40000, .destination_port = 443};
    const Packet back = {.source = other, .destination = one, .source_port = 443, .destination_port = 40000};
    EXPECT_THAT(judge(filter, {there, back, there, back}), ElementsAre("keep", "drop", "drop", "drop")) << one;
  }
}

TEST(SampleByFlow, TellsFlowsApartByPortsProtocolAndAddresses) {
  FilterDriver filter(nfbus::test::plugin(), flow(60));
  EXPECT_THAT(judge(filter, {{},
                             {.source_port = 40001},
                             {.destination_port = 80},
                             {.protocol = 17},
                             {.source = "192.0.2.2"},
                             {.source_port = 443, .destination_port = 40000}}),
              Each("keep"));
  EXPECT_THAT(judge(filter, {{.protocol = 1, .source_port = -1}, {.protocol = 1, .source_port = -1}}),
              ElementsAre("keep", "drop"));
}

TEST(SampleByFlow, KeepsTheFirstPacketAfterALongSilence) {
  FilterDriver filter(nfbus::test::plugin(), flow(60));
  EXPECT_THAT(
      judge(filter,
            {{.time_ns = 0}, {.time_ns = 60 * kSecondNs}, {.time_ns = 119 * kSecondNs}, {.time_ns = 180 * kSecondNs}}),
      ElementsAre("keep", "drop", "drop", "keep"));
}

TEST(SampleByFlow, TakesNoFlowForOldWhenTheClockIsSetBack) {
  FilterDriver filter(nfbus::test::plugin(), flow(60));
  EXPECT_THAT(judge(filter, {{.time_ns = 1000 * kSecondNs}, {.time_ns = 0}, {.time_ns = 1 * kSecondNs}}),
              ElementsAre("keep", "drop", "drop"));
}

TEST(SampleByFlow, KeepsEveryPacketWithoutAddresses) {
  FilterDriver filter(nfbus::test::plugin(), flow(60));
  EXPECT_THAT(judge(filter, {{.source = ""}, {.source = ""}}), Each("keep"));
}

TEST(SampleByFlow, ForgetsTheLeastRecentFlowWhenThereAreTooMany) {
  FilterDriver filter(nfbus::test::plugin(), flow(60, 2));
  EXPECT_THAT(judge(filter, {{.source_port = 1}, {.source_port = 2}, {.source_port = 1}, {.source_port = 3}}),
              ElementsAre("keep", "keep", "drop", "keep"));
  EXPECT_EQ(filter.counter("forgotten"), 1U);
  EXPECT_THAT(judge(filter, {{.source_port = 1}, {.source_port = 2}}), ElementsAre("drop", "keep"));
}

}  // namespace
