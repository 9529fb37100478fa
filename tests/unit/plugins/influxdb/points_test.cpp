#include "points.hpp"

#include <nfbus/testing/fake_host.hpp>
#include <nfbus/testing/fake_packets.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <set>

namespace {

using influx::Points;
using influx::PointSettings;
using nfbus::test::FakeHost;
using nfbus::test::Packet;
using nfbus::test::Packets;
using testing::ElementsAre;
using testing::HasSubstr;

class PointsTest : public testing::Test {
 protected:
  nfbus_event& packet(const Packet& packet = {}) {
    nfbus_event& event = packets_.add(packet);
    event.action = NFBUS_ACTION_BLOCKED;
    return event;
  }

  std::string line(const nfbus_event& event, const PointSettings& settings = {}) {
    Points points(nfbus::Host(host_.raw()), settings, [this](const std::string& text) { warned_.push_back(text); });
    return line(points, event);
  }
  static std::string line(Points& points, const nfbus_event& event) {
    std::string out;
    points.append(nfbus::Event(&event), "r1", out);
    return out;
  }

  nfbus_event& annotated(std::string_view name, std::string_view value, std::uint32_t type) {
    nfbus_event& event = packet();
    nfbus_field& field = fields_.emplace_back();
    field = {.name = nfbus::to_text(name), .value = nfbus::to_text(value), .type = type, .reserved = 0};
    event.fields = &field;
    event.field_count = 1;
    return event;
  }

  FakeHost host_;
  Packets packets_;
  std::deque<nfbus_field> fields_;
  std::vector<std::string> warned_;
};

TEST_F(PointsTest, APacketIsALineWithSortedTags) {
  nfbus_event& event = packet({.time_ns = 1'700'000'000'000'000'123});
  event.layers |= NFBUS_LAYER_TCP;
  EXPECT_EQ(line(event),
            "tcp,Action=blocked,Device=r1,InDev=eth0,Prefix=lan:in "
            "SrcIP=\"192.0.2.1\",DstIP=\"198.51.100.1\",SrcPort=40000i,DstPort=443i,Length=20i 1700000000000000123\n");
}

TEST_F(PointsTest, IPv6IsTheSame) {
  nfbus_event& event = packet({.source = "2001:db8::1", .destination = "2001:db8::2", .protocol = 17, .time_ns = -5});
  event.layers |= NFBUS_LAYER_UDP;
  EXPECT_EQ(line(event),
            "udp,Action=blocked,Device=r1,InDev=eth0,Prefix=lan:in "
            "SrcIP=\"2001:db8::1\",DstIP=\"2001:db8::2\",SrcPort=40000i,DstPort=443i,Length=40i -5\n");
}

TEST_F(PointsTest, WhatIsNotThereIsLeftOutAndSomethingAlwaysStays) {
  nfbus_event& event = packet({.source = "", .prefix = " \t", .in_name = ""});
  EXPECT_EQ(line(event, {.tags = {"Prefix", "InDev"}, .fields = {{"SrcIP", "Mark", "DnsName", "Nothing"}}}),
            "ip Length=0i 0\n");
}

TEST_F(PointsTest, OptionsNameOtherColumns) {
  nfbus_event& event = packet();
  event.group = 7;
  EXPECT_EQ(
      line(event, {.measurement = "my packets", .tags = {"SrcPort", "Group"}, .fields = {{"DstPort", "Protocol"}}}),
      "my\\ packets,Group=7,SrcPort=40000 DstPort=443i,Protocol=6i 0\n");
}

TEST_F(PointsTest, AnnotationsKeepTheirTypes) {
  const PointSettings settings{.tags = {}, .fields = {{"Note", "Length"}}};
  const auto note = [&](std::string_view value, std::uint32_t type) {
    return line(annotated("Note", value, type), settings);
  };
  EXPECT_EQ(note("a\"b", NFBUS_VALUE_TEXT), "ip Note=\"a\\\"b\",Length=20i 0\n");
  EXPECT_EQ(note("-3", NFBUS_VALUE_INTEGER), "ip Note=-3i,Length=20i 0\n");
  EXPECT_EQ(note("1.5", NFBUS_VALUE_NUMBER), "ip Note=1.5,Length=20i 0\n");
  EXPECT_EQ(note("true", NFBUS_VALUE_BOOLEAN), "ip Note=true,Length=20i 0\n");
  EXPECT_EQ(note("18446744073709551615", NFBUS_VALUE_INTEGER), "ip Length=20i 0\n") << "no integer of theirs";
  EXPECT_EQ(note("nan", NFBUS_VALUE_NUMBER), "ip Length=20i 0\n");
  EXPECT_EQ(note("", NFBUS_VALUE_TEXT), "ip Length=20i 0\n");
}

TEST_F(PointsTest, ATagWithTooManyValuesGoesToAField) {
  Points points(nfbus::Host(host_.raw()), {.tags = {"SrcPort"}, .fields = {{"Length"}}, .max_tag_values = 2},
                [this](const std::string& text) { warned_.push_back(text); });
  std::vector<std::string> lines;
  for (const int port : {1, 2, 3, 4, 1}) lines.push_back(line(points, packet({.source_port = port})));
  EXPECT_THAT(lines, ElementsAre("ip,SrcPort=1 Length=20i 0\n", "ip,SrcPort=2 Length=20i 0\n",
                                 "ip SrcPort_value=\"3\",Length=20i 0\n", "ip SrcPort_value=\"4\",Length=20i 0\n",
                                 "ip,SrcPort=1 Length=20i 0\n"));
  EXPECT_THAT(warned_, ElementsAre(HasSubstr("tag SrcPort has more than 2 values")));
}

TEST(TagGuard, KnowsWhatPassedHoweverManyThereAre) {
  influx::TagGuard guard(10000);
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(guard.passes(std::to_string(i)));
  for (int i = 10000; i < 20000; ++i) EXPECT_FALSE(guard.passes(std::to_string(i)));
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(guard.passes(std::to_string(i)));
  influx::TagGuard unlimited(0);
  for (int i = 0; i < 20000; ++i) EXPECT_TRUE(unlimited.passes(std::to_string(i)));
}

class PointTime : public PointsTest {
 protected:
  // The times of so many packets of two groups that came at once.
  std::multiset<std::int64_t> times(std::uint32_t present, std::uint32_t count, std::uint32_t first,
                                    std::int64_t time_ns) {
    std::multiset<std::int64_t> out;
    for (std::uint32_t i = 0; i < count; ++i) {
      for (const std::uint16_t group : {std::uint16_t{1}, std::uint16_t{2}}) {
        nfbus_event& event = packet({.time_ns = time_ns});
        event.present = present;
        event.sequence = first + i;
        event.group = group;
        out.insert(influx::point_time_ns(nfbus::Event(&event)));
      }
    }
    return out;
  }
  static std::size_t different(const std::multiset<std::int64_t>& times) {
    return std::set<std::int64_t>(times.begin(), times.end()).size();
  }
};

TEST_F(PointTime, OfPacketsThatCameAtOnceIsNeverTheSame) {
  // A datagram's worth with the time of receipt; what a CPU logs within a µs.
  const auto received = times(NFBUS_HAS_SEQUENCE, 20000, 4'294'960'000U, 1'700'000'000'123'456'789);
  EXPECT_EQ(different(received), received.size());
  EXPECT_GE(*received.begin(), 1'700'000'000'123'000'000);
  EXPECT_LT(*received.rbegin(), 1'700'000'000'124'000'000);
  const auto logged = times(NFBUS_HAS_SEQUENCE | NFBUS_HAS_KERNEL_TIME, 100, 90, 1'700'000'000'123'456'000);
  EXPECT_EQ(different(logged), logged.size());
  EXPECT_GE(*logged.begin(), 1'700'000'000'123'456'000);
  EXPECT_LT(*logged.rbegin(), 1'700'000'000'123'457'000);
}

TEST_F(PointTime, IsMadeOfTheEventAlone) {
  EXPECT_EQ(times(NFBUS_HAS_SEQUENCE, 10, 5, -1), times(NFBUS_HAS_SEQUENCE, 10, 5, -1));
  EXPECT_EQ(*times(0, 1, 5, 1234567).begin(), 1234567) << "a file's own time";
}

}  // namespace
