#include <nfbus/event.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nfbus/host.hpp>

#include <algorithm>
#include <array>

namespace {

using nfbus::Event;
using testing::ElementsAre;

// A packet of these bytes with these layers.
template <std::size_t N>
nfbus_event packet(const std::array<std::uint8_t, N>& bytes, std::uint32_t layers) {
  nfbus_event event{};
  event.struct_size = sizeof event;
  event.kind = NFBUS_EVENT_PACKET;
  event.layers = layers;
  event.payload = {bytes.data(), bytes.size()};
  event.transport_offset = event.data_offset = NFBUS_NO_OFFSET;
  return event;
}

TEST(EventView, ShowsIpv4Addresses) {
  std::array<std::uint8_t, 20> bytes{};
  std::ranges::copy(std::array<std::uint8_t, 8>{192, 0, 2, 1, 198, 51, 100, 255}, bytes.begin() + 12);
  const nfbus_event raw = packet(bytes, NFBUS_LAYER_IPV4);
  EXPECT_EQ(Event(&raw).source().view(), "192.0.2.1");
  EXPECT_EQ(Event(&raw).destination().view(), "198.51.100.255");
}

TEST(EventView, ShowsIpv6AddressesOfTheFullLength) {
  std::array<std::uint8_t, 40> bytes{};
  std::fill(bytes.begin() + 8, bytes.begin() + 24, std::uint8_t{0xfe});
  bytes[24] = 0x20;
  bytes[25] = 0x01;
  bytes[39] = 0x01;
  const nfbus_event raw = packet(bytes, NFBUS_LAYER_IPV6);
  EXPECT_EQ(Event(&raw).source().view(), "fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe");
  EXPECT_EQ(Event(&raw).destination().view(), "2001::1");
}

TEST(EventView, ShowsTheAddressesOfAnArpPacket) {
  std::array<std::uint8_t, 28> bytes{};
  std::ranges::copy(std::array<std::uint8_t, 4>{10, 0, 0, 1}, bytes.begin() + 14);
  std::ranges::copy(std::array<std::uint8_t, 4>{10, 0, 0, 2}, bytes.begin() + 24);
  const nfbus_event raw = packet(bytes, NFBUS_LAYER_ARP);
  EXPECT_EQ(Event(&raw).source().view(), "10.0.0.1");
  EXPECT_EQ(Event(&raw).destination().view(), "10.0.0.2");
  EXPECT_FALSE(Event(&raw).protocol().has_value());
}

TEST(EventView, HasNoAddressWhereNoHeaderWasDecoded) {
  const std::array<std::uint8_t, 40> bytes{};
  const nfbus_event raw = packet(bytes, 0);
  EXPECT_TRUE(Event(&raw).source().empty());
  EXPECT_TRUE(Event(&raw).source_bytes().empty());
}

TEST(EventView, ReadsNoAddressBeyondWhatWasCaptured) {
  const std::array<std::uint8_t, 15> bytes{};
  const nfbus_event raw = packet(bytes, NFBUS_LAYER_IPV4);
  EXPECT_TRUE(Event(&raw).source_bytes().empty());
  EXPECT_TRUE(Event(&raw).destination_bytes().empty());
}

TEST(EventView, TellsAbsentValuesFromZero) {
  nfbus_event raw = packet(std::array<std::uint8_t, 1>{}, NFBUS_LAYER_IPV4);
  EXPECT_FALSE(Event(&raw).mark().has_value());
  EXPECT_FALSE(Event(&raw).source_port().has_value());
  raw.present = NFBUS_HAS_MARK | NFBUS_HAS_PORTS;
  EXPECT_EQ(Event(&raw).mark(), 0U);
  EXPECT_EQ(Event(&raw).source_port(), 0U);
}

TEST(EventView, GivesTheBytesBehindTheTransportHeader) {
  const std::array<std::uint8_t, 5> bytes{1, 2, 3, 4, 5};
  nfbus_event raw = packet(bytes, 0);
  EXPECT_TRUE(Event(&raw).data().empty());
  raw.data_offset = 3;
  EXPECT_THAT(Event(&raw).data(), ElementsAre(4, 5));
  raw.data_offset = 5;
  EXPECT_TRUE(Event(&raw).data().empty());
  raw.data_offset = 6;
  EXPECT_TRUE(Event(&raw).data().empty());
}

TEST(EventView, FindsAFieldByItsName) {
  const nfbus_field fields[] = {{NFBUS_TEXT("domain"), NFBUS_TEXT("example.org"), NFBUS_VALUE_TEXT, 0}};
  nfbus_event raw = packet(std::array<std::uint8_t, 1>{}, 0);
  EXPECT_FALSE(Event(&raw).field("domain").has_value());
  raw.fields = fields;
  raw.field_count = 1;
  EXPECT_EQ(Event(&raw).field("domain"), "example.org");
  EXPECT_FALSE(Event(&raw).field("rule").has_value());
}

TEST(HostHandle, RendersInAFormatOfTheHost) {
  const nfbus::test::FakeHost fake;
  const nfbus::test::Batch batch({R"({"a":1})"});
  const nfbus::Host host(fake.raw());
  EXPECT_EQ(Event(batch.items()[0]).json(host.format("ulogd")), R"({"a":1})");
  EXPECT_THROW((void)host.format("xml"), std::invalid_argument);
}

TEST(HostHandle, SaysWhetherATopicWasTaken) {
  const nfbus::test::FakeHost fake;
  EXPECT_TRUE(nfbus::Host(fake.raw()).publish("door:open", "{}"));
  EXPECT_FALSE(nfbus::Host(fake.raw()).publish("nft:drop:input", "{}"));
  EXPECT_THAT(fake.published, ElementsAre(testing::Pair("door:open", "{}")));
}

TEST(HostHandle, GivesEveryCopyBackOnce) {
  nfbus::test::FakeHost fake;
  const nfbus::Host host(fake.raw());
  const nfbus::test::Batch batch({"first", "second"});
  {
    nfbus::EventCopy first = host.copy(Event(batch.items()[0]));
    nfbus::EventCopy second = host.copy(Event(batch.items()[1]));
    EXPECT_EQ(fake.copies_held, 2);
    first = std::move(second);
    const nfbus::EventCopy third = std::move(first);
    EXPECT_EQ(third.event().text(), "second");
  }
  EXPECT_EQ(fake.copies_held, 0);
  fake.memory_is_short = true;
  EXPECT_THROW((void)host.copy(Event(batch.items()[0])), std::bad_alloc);
}

TEST(HostHandle, CountsUnderANameOfThePlugin) {
  const nfbus::test::FakeHost fake;
  const nfbus::Counter counter = nfbus::Host(fake.raw()).counter("rotations");
  counter.add();
  counter.add(4);
  EXPECT_THAT(fake.counters, ElementsAre(testing::Pair("rotations", 5U)));
}

}  // namespace
