#include "formats/packet_dhcp.hpp"

#include "carried_messages.hpp"
#include "spr_samples.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfbus::host::test {
namespace {

using Json = nlohmann::ordered_json;

std::string dhcp_text(const Event& event, bool full = false) {
  TextBuffer out;
  EXPECT_EQ(append_dhcp(event, full, out), "");
  return std::string(out.view());
}

std::string dhcp_error(const Event& event) {
  TextBuffer out;
  out.append("before");
  const std::string_view error = append_dhcp(event, true, out);
  EXPECT_EQ(out.view(), "before");
  return std::string(error);
}

Octets dhcp_message_with(const Octets& options) {
  Octets message(240);
  message[0] = 1;
  append32(message, 0);
  message.resize(236);
  append32(message, 0x63825363);
  append(message, options);
  return message;
}

constexpr Carrier kClient{.source_port = 68, .destination_port = 67};

TEST(PacketDhcp, IsSprsJsonKeyForKeyForEverySample) {
  int layers = 0;
  for (const SprSample& sample : spr_samples()) {
    const bool expected = sample.layers.contains("DHCP");
    layers += expected ? 1 : 0;
    if (sample.layers.contains("err")) continue;
    const auto packet = CarriedEvent::from_ipv4(sample.packet);
    const Json object = layer_object(dhcp_text(packet->event, true), "DHCP");
    EXPECT_EQ(object.dump(), expected ? sample.layers["DHCP"].dump() : "null") << sample.name;
  }
  EXPECT_EQ(layers, 3);
}

TEST(PacketDhcp, LeavesOutContentsAndPayloadButForTheFullForm) {
  const auto packet = CarriedEvent::from_ipv4(spr_sample("dhcp-offer").packet);
  Json expected = spr_sample("dhcp-offer").layers["DHCP"];
  expected.erase("Contents");
  expected.erase("Payload");
  EXPECT_EQ(layer_object(dhcp_text(packet->event), "DHCP").dump(), expected.dump());
}

TEST(PacketDhcp, SaysWhatIsWrongWithABrokenMessage) {
  for (const char* name : {"udp67", "udp68"}) {
    EXPECT_EQ(dhcp_error(CarriedEvent::from_ipv4(spr_sample(name).packet)->event), "DHCP: header cut short") << name;
  }
  Octets message = dhcp_message_with({53, 1, 1, 12, 200, 'x'});
  EXPECT_EQ(dhcp_error(CarriedEvent(message, kClient).event), "DHCP: option cut short");
  EXPECT_EQ(dhcp_error(CarriedEvent(dhcp_message_with({53}), kClient).event), "DHCP: option cut short");
  message[236] = 0;
  EXPECT_EQ(dhcp_error(CarriedEvent(message, kClient).event), "DHCP: no magic cookie");
  message = dhcp_message_with({});
  message[2] = 17;
  EXPECT_EQ(dhcp_error(CarriedEvent(message, kClient).event), "DHCP: hardware address longer than 16 bytes");
  EXPECT_EQ(dhcp_error(CarriedEvent(dhcp_message_with(Octets(2049)), kClient).event), "DHCP: more than 2048 options");
}

TEST(PacketDhcp, IsWholeOrAnErrorWhereverTheMessageEnds) {
  const Octets message = dhcp_message_with({53, 1, 1, 0, 12, 2, 'h', 'i', 255, 1, 2, 3});
  for (std::size_t size = 1; size <= message.size(); ++size) {
    TextBuffer out;
    const CarriedEvent packet(Octets(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)), kClient);
    const bool whole = append_dhcp(packet.event, true, out).empty();
    EXPECT_EQ(whole, out.size() != 0) << size;
    const bool between_options = size == 240 || size == 243 || size == 244 || size >= 248;
    EXPECT_EQ(whole, between_options) << size;
    if (!whole) continue;
    EXPECT_FALSE(layer_object(std::string(out.view()), "DHCP").is_null()) << size;
  }
}

TEST(PacketDhcp, ShowsPaddingBetweenOptionsAndNothingBehindTheEnd) {
  const CarriedEvent packet(dhcp_message_with({0, 12, 0, 255, 53, 1, 1}), kClient);
  EXPECT_EQ(layer_object(dhcp_text(packet.event), "DHCP")["Options"].dump(),
            R"([{"Type":0,"Length":0,"Data":null},{"Type":12,"Length":0,"Data":""}])");
  EXPECT_EQ(layer_object(dhcp_text(CarriedEvent(dhcp_message_with({255}), kClient).event), "DHCP")["Options"].dump(),
            "null");
}

TEST(PacketDhcp, IsOfUdpOverIpv4AloneAndOfWholePackets) {
  const Octets message = dhcp_message_with({255});
  EXPECT_NE(dhcp_text(CarriedEvent(message, kClient).event), "");
  EXPECT_NE(dhcp_text(CarriedEvent(message, {.source_port = 67, .destination_port = 68}).event), "");
  EXPECT_NE(dhcp_text(CarriedEvent(message, {.source_port = 67, .destination_port = 4011}).event), "");
  Carrier by = kClient;
  by.ipv6 = true;
  EXPECT_EQ(dhcp_text(CarriedEvent(message, by).event), "");
  by = kClient;
  by.more_fragments = true;
  EXPECT_EQ(dhcp_text(CarriedEvent(message, by).event), "");
  by = kClient;
  by.tcp = true;
  EXPECT_EQ(dhcp_text(CarriedEvent(message, by).event), "");
  EXPECT_EQ(dhcp_text(CarriedEvent(message, {.source_port = 67, .destination_port = 53}).event), "");
}

}  // namespace
}  // namespace nfbus::host::test
