#include "decode/decode.hpp"

#include "decoded.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

using test::Decoded;

bool has_ports(const Event& event) { return (event.present & NFBUS_HAS_PORTS) != 0; }

TEST(DecodePacket, FindsPortsAndOffsetsOfTcp) {
  const Decoded decoded("ipv4_tcp_syn");
  EXPECT_TRUE(has_ports(decoded.event));
  EXPECT_EQ(decoded.event.source_port, 43210);
  EXPECT_EQ(decoded.event.destination_port, 443);
  EXPECT_EQ(decoded.event.transport_offset, 20);
  EXPECT_EQ(decoded.event.data_offset, 60);
  EXPECT_EQ(decoded.event.ip_protocol, IPPROTO_TCP);
}

TEST(DecodePacket, TreatsIpv6AsIpv4) {
  const Decoded decoded("ipv6_tcp_syn");
  EXPECT_TRUE(has_ports(decoded.event));
  EXPECT_EQ(decoded.event.source_port, 43210);
  EXPECT_EQ(decoded.event.destination_port, 443);
  EXPECT_EQ(decoded.event.transport_offset, 40);
  EXPECT_EQ(decoded.event.data_offset, 80);
  EXPECT_EQ(decoded.event.ip_protocol, IPPROTO_TCP);
}

TEST(DecodePacket, KeepsTheLengthOfAPacketOfWhichLittleIsLeft) {
  const std::vector<std::uint8_t> ipv4{0x45, 0, 0x05, 0xdc};
  const std::vector<std::uint8_t> ipv6{0x60, 0, 0, 0, 0x05, 0xb4};
  for (const auto& [ether_type, bytes] : {std::pair(kEtherTypeIpv4, ipv4), std::pair(kEtherTypeIpv6, ipv6)}) {
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      Event event{};
      event.ether_type = ether_type;
      event.payload = {bytes.data(), size};
      decode_packet(event);
      EXPECT_EQ(event.packet_size, size == bytes.size() ? 1500 : size);
      EXPECT_NE(event.decode_error.size, 0U);
    }
  }
  // Not of the version that it should be: its length is no length.
  const std::vector<std::uint8_t> other{0x65, 0, 0x05, 0xdc};
  Event event{};
  event.ether_type = kEtherTypeIpv4;
  event.payload = {other.data(), other.size()};
  decode_packet(event);
  EXPECT_EQ(event.packet_size, other.size());
}

TEST(DecodePacket, FindsTransportBehindIpv4Options) {
  const Decoded decoded("ipv4_options");
  EXPECT_EQ(decoded.event.transport_offset, 32);
  EXPECT_EQ(decoded.event.data_offset, 40);
  EXPECT_EQ(decoded.event.destination_port, 9999);
}

TEST(DecodePacket, FindsTransportBehindEveryIpv6ExtensionHeader) {
  const Decoded decoded("ipv6_all_extensions");
  EXPECT_EQ(decoded.event.ip_protocol, IPPROTO_TCP);
  EXPECT_EQ(decoded.event.transport_offset, 40 + 8 + 16 + 24 + 8 + 24 + 8 + 16 + 8 + 8);
  EXPECT_EQ(decoded.event.data_offset, decoded.event.transport_offset + 40);
  EXPECT_EQ(decoded.event.destination_port, 443);
}

TEST(DecodePacket, StepsOverAhInBothVersions) {
  EXPECT_EQ(Decoded("ipv4_ah_tcp").event.ip_protocol, IPPROTO_TCP);
  EXPECT_EQ(Decoded("ipv4_ah_tcp").event.transport_offset, 44);
  EXPECT_EQ(Decoded("ipv6_ah_udp").event.ip_protocol, IPPROTO_UDP);
  EXPECT_EQ(Decoded("ipv6_ah_udp").event.transport_offset, 64);
}

TEST(DecodePacket, GivesNoPortsOfLaterFragments) {
  for (const char* name : {"ipv4_fragment_later", "ipv4_fragment_last", "ipv6_fragment_later"}) {
    const Decoded decoded(name);
    EXPECT_FALSE(has_ports(decoded.event)) << name;
    EXPECT_EQ(decoded.event.transport_offset, NFBUS_NO_OFFSET) << name;
    EXPECT_EQ(decoded.event.data_offset, NFBUS_NO_OFFSET) << name;
  }
  EXPECT_EQ(Decoded("ipv4_fragment_later").event.ip_protocol, IPPROTO_UDP);
  EXPECT_EQ(Decoded("ipv6_fragment_later").event.ip_protocol, IPPROTO_UDP);
}

TEST(DecodePacket, DoesNotReadHeadersInALaterFragmentsBytes) {
  EXPECT_EQ(Decoded("ipv6_fragment_later_of_options").event.ip_protocol, IPPROTO_DSTOPTS);
  EXPECT_EQ(Decoded("ipv4_ah_fragment_later").event.ip_protocol, IPPROTO_AH);
}

TEST(DecodePacket, DecodesFirstFragments) {
  EXPECT_EQ(Decoded("ipv4_fragment_first").event.destination_port, 53);
  EXPECT_EQ(Decoded("ipv6_fragment_first").event.destination_port, 53);
  EXPECT_EQ(Decoded("ipv6_fragment_atomic").event.destination_port, 443);
}

TEST(DecodePacket, GivesPortsEvenWhenTheRestOfTheHeaderIsMissing) {
  for (const char* name : {"ipv4_tcp_header_cut", "ipv4_tcp_snaplen_cuts_header", "ipv4_fragment_tiny",
                           "ipv6_tcp_header_cut", "ipv4_tcp_bad_offset"}) {
    const Decoded decoded(name);
    EXPECT_TRUE(has_ports(decoded.event)) << name;
    EXPECT_EQ(decoded.event.source_port, 43210) << name;
    EXPECT_EQ(decoded.event.destination_port, 443) << name;
    EXPECT_EQ(decoded.event.data_offset, NFBUS_NO_OFFSET) << name;
  }
  EXPECT_EQ(Decoded("ipv4_udp_header_cut").event.destination_port, 53);
  EXPECT_EQ(Decoded("ipv4_sctp_header_cut").event.destination_port, 5000);
  EXPECT_FALSE(has_ports(Decoded("ipv4_tcp_ports_cut").event));
}

TEST(DecodePacket, DoesNotTakePaddingForTheRestOfACutHeader) {
  const Decoded decoded("ipv4_tcp_padding_behind_cut");
  EXPECT_EQ(decoded.event.payload.size, 46U);
  EXPECT_EQ(decoded.event.layers & NFBUS_LAYER_TCP, 0U);
}

TEST(DecodePacket, GivesTheSizeOnTheWire) {
  EXPECT_EQ(Decoded("ipv4_tcp_syn").event.packet_size, 60U);
  EXPECT_EQ(Decoded("ipv4_tcp_snaplen").event.packet_size, 452U);
  EXPECT_EQ(Decoded("ipv6_snaplen").event.packet_size, 460U);
  EXPECT_EQ(Decoded("ipv4_tcp_padding").event.packet_size, 46U);
  EXPECT_EQ(Decoded("ipv4_total_length_zero").event.packet_size, 47U);
  EXPECT_EQ(Decoded("ipv4_no_payload").event.packet_size, 0U);
}

TEST(DecodePacket, FindsNoPortsInProtocolsWithoutAny) {
  for (const char* name : {"ipv4_icmp_echo", "ipv6_icmpv6_echo", "ipv4_esp", "ipv4_gre", "ipv4_igmp", "arp_request"}) {
    EXPECT_FALSE(has_ports(Decoded(name).event)) << name;
  }
}

TEST(DecodePacket, SaysWhereAnUnknownUpperLayerBegins) {
  EXPECT_EQ(Decoded("ipv4_gre").event.transport_offset, 20);
  EXPECT_EQ(Decoded("ipv4_gre").event.data_offset, NFBUS_NO_OFFSET);
  EXPECT_EQ(Decoded("ipv4_igmp").event.transport_offset, 24);
  EXPECT_EQ(Decoded("ipv4_unknown_protocol_empty").event.transport_offset, NFBUS_NO_OFFSET);
}

TEST(DecodePacket, FindsNothingBehindNoNextHeader) {
  for (const char* name : {"ipv6_none", "ipv6_mobility", "ipv6_hip"}) {
    EXPECT_EQ(Decoded(name).event.ip_protocol, IPPROTO_NONE) << name;
    EXPECT_EQ(Decoded(name).event.transport_offset, NFBUS_NO_OFFSET) << name;
  }
}

TEST(DecodePacket, NamesTheExtensionHeaderThatItStoppedAt) {
  EXPECT_EQ(Decoded("ipv6_extension_cut").event.ip_protocol, IPPROTO_ROUTING);
  EXPECT_EQ(Decoded("ipv6_extension_too_long").event.ip_protocol, IPPROTO_HOPOPTS);
  EXPECT_EQ(Decoded("ipv6_fragment_header_cut").event.ip_protocol, IPPROTO_FRAGMENT);
  EXPECT_EQ(Decoded("ipv4_ah_cut").event.ip_protocol, IPPROTO_AH);
}

TEST(DecodePacket, PrefersTheKernelsVlanTagToThatInTheFrame) {
  const Decoded decoded("bridge_two_vlan_tags");
  EXPECT_EQ(vlan_id(decoded.event.vlan_tci), 200);
  EXPECT_EQ(decoded.event.vlan_protocol, kEtherTypeProviderVlan);
}

TEST(DecodePacket, StepsOverVlanTagsBeforeTheNetworkHeader) {
  const Decoded two("bridge_two_vlan_tags");
  EXPECT_EQ(two.event.ether_type, kEtherTypeIpv4);
  EXPECT_EQ(two.event.payload.data[0], 0x45);
  const Decoded one("bridge_vlan_in_payload");
  EXPECT_EQ(one.event.ether_type, kEtherTypeIpv6);
  EXPECT_EQ(one.event.payload.data[0] >> 4U, 6);
  EXPECT_EQ(vlan_id(one.event.vlan_tci), 100);
}

TEST(DecodePacket, ReadsAVlanTagInTheHardwareHeader) {
  const Decoded decoded("ethernet_vlan_header");
  EXPECT_EQ(vlan_id(decoded.event.vlan_tci), 42);
  EXPECT_EQ(decoded.event.vlan_protocol, kEtherTypeVlan);
}

TEST(DecodePacket, SplitsAVlanTag) {
  const Decoded decoded("bridge_vlan");
  EXPECT_EQ(vlan_id(decoded.event.vlan_tci), 100);
  EXPECT_EQ(vlan_priority(decoded.event.vlan_tci), 5);
  EXPECT_FALSE(vlan_drop_eligible(decoded.event.vlan_tci));
}

TEST(DecodePacket, KeepsTheFirstErrorWhenTheRecordIsBrokenToo) {
  Decoded decoded("record_attribute_beyond_end");
  decoded.event.payload.size = 3;
  decode_packet(decoded.event);
  EXPECT_EQ(view(decoded.event.decode_error), "NFLOG: sequence attribute cut short");
}

TEST(DecodePacket, DecodesAPacketOfAnySize) {
  std::vector<std::uint8_t> payload(100'000);
  payload[0] = 0x60;
  payload[6] = IPPROTO_HOPOPTS;  // zeros: a chain of hop-by-hop headers to the end
  Event event{};
  event.ether_type = kEtherTypeIpv6;
  event.payload = {payload.data(), payload.size()};
  decode_packet(event);
  EXPECT_EQ(event.packet_size, payload.size());
  EXPECT_EQ(view(event.decode_error), "IPv6: extension header cut short");
}

// An IPv6 packet with a hop-by-hop header of these options, 8n + 6 bytes, and a UDP header behind it.
std::vector<std::uint8_t> with_options(std::uint16_t payload_length, const std::vector<std::uint8_t>& options,
                                       const std::vector<std::uint8_t>& behind_extension = {}, std::uint8_t next = 17) {
  std::vector<std::uint8_t> packet{
      0x60, 0, 0, 0, static_cast<std::uint8_t>(payload_length >> 8U), static_cast<std::uint8_t>(payload_length), 0, 64};
  packet.resize(40, 1);
  packet.push_back(next);
  packet.push_back(static_cast<std::uint8_t>((options.size() + 2) / 8 - 1));
  packet.insert(packet.end(), options.begin(), options.end());
  packet.insert(packet.end(), behind_extension.begin(), behind_extension.end());
  packet.insert(packet.end(), {0x12, 0x34, 0, 53, 0, 0, 0, 0});
  return packet;
}

struct Measured {
  std::uint32_t size_bytes;
  std::string error;
  std::uint16_t port;
};

Measured measured(const std::vector<std::uint8_t>& packet) {
  Event event{};
  event.ether_type = kEtherTypeIpv6;
  event.payload = {packet.data(), packet.size()};
  decode_packet(event);
  return {event.packet_size, std::string(view(event.decode_error)), event.destination_port};
}

void expect_measured(const std::vector<std::uint8_t>& packet, std::uint32_t size_bytes, const std::string& error) {
  const Measured found = measured(packet);
  EXPECT_EQ(found.size_bytes, size_bytes);
  EXPECT_EQ(found.error, error);
  EXPECT_EQ(found.port, 53) << "what is wrong with the length does not end the decoding";
}

TEST(DecodePacket, TakesTheLengthOfAJumbogramFromItsOption) {
  expect_measured(with_options(0, {0xc2, 4, 0, 1, 0, 0}), 40 + 65536, "");
  expect_measured(with_options(0, {0xc2, 4, 0x12, 0x34, 0x56, 0x78}), 40 + 0x12345678U, "");
  // Behind padding of one byte and of several, and before it.
  expect_measured(with_options(0, {0, 1, 1, 0, 0, 0, 0, 0, 0xc2, 4, 0, 2, 0, 0}), 40 + 0x20000, "");
  // One that no file of 32-bit lengths could tell of is as long as can be told.
  EXPECT_GT(measured(with_options(0, {0xc2, 4, 0xff, 0xff, 0xff, 0xff})).size_bytes, 0xf0000000U);
  EXPECT_LT(measured(with_options(0, {0xc2, 4, 0xff, 0xff, 0xff, 0xff})).size_bytes, 0xffffff00U);
}

TEST(DecodePacket, SaysWhatIsWrongWithTheLengthOfAJumbogram) {
  const auto as_captured = [](const std::vector<std::uint8_t>& packet, const std::string& error) {
    expect_measured(packet, static_cast<std::uint32_t>(packet.size()), error);
  };
  as_captured(with_options(0, {0xc2, 4, 0, 0, 0xff, 0xff}), "IPv6: jumbo payload length below 65536");
  as_captured(with_options(0, {0xc2, 4, 0, 0, 0, 0}), "IPv6: jumbo payload length below 65536");
  as_captured(with_options(0, {0xc2, 2, 1, 1, 0, 0}), "IPv6: jumbo payload length below 65536");
  as_captured(with_options(0, {1, 4, 0, 0, 0, 0}), "IPv6: payload length 0 without a jumbo payload option");
  as_captured(with_options(0, {0xc2, 40, 0, 1, 0, 0}), "IPv6: payload length 0 without a jumbo payload option");
  as_captured(with_options(16, {0xc2, 4, 0, 1, 0, 0}), "IPv6: jumbo payload option beside a payload length");
  as_captured(with_options(16, {5, 2, 0, 0, 1, 0}), "");  // a router alert, as MLD has it
  const std::vector<std::uint8_t> fragment{17, 0, 0, 0, 0, 0, 0, 1};
  expect_measured(with_options(0, {0xc2, 4, 0, 1, 0, 0}, fragment, 44), 40 + 65536, "IPv6: fragment of a jumbogram");
}

TEST(DecodePacket, BlamesNoLengthWhereTheOptionWasNotCaptured) {
  const std::vector<std::uint8_t> packet = with_options(0, {0xc2, 4, 0, 1, 0, 0});
  for (std::size_t size = 40; size < 48; ++size) {
    const Measured found = measured({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_EQ(found.error, "IPv6: extension header cut short") << size;
    EXPECT_EQ(found.size_bytes, size);
  }
  // No hop-by-hop header, no option: what the network card is yet to cut in pieces.
  std::vector<std::uint8_t> plain = packet;
  plain[6] = 59;
  EXPECT_EQ(measured(plain).error, "");
}

}  // namespace
}  // namespace nfbus::host
