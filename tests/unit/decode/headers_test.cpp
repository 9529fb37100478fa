#include "decode/headers.hpp"

#include "check_event.hpp"
#include "packets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace nfbus::host {
namespace {

using ::testing::ElementsAre;

class Decoded {
 public:
  explicit Decoded(const std::string& name)
      : packet_(test::load_packet(NFBUS_TEST_DATA, name)), event_(test::decode_record(packet_.record)) {}
  [[nodiscard]] const nfbus_event& event() const { return event_; }
  template <class Header>
  [[nodiscard]] Header header() const {
    return find_header<Header>(event_).value();
  }

 private:
  test::Packet packet_;
  Event event_;
};

std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

static_assert(sizeof(TcpHeader) == sizeof(void*), "views are as cheap as a pointer");
static_assert(std::is_trivially_copyable_v<TcpHeader>);

TEST(Headers, ReadEthernet) {
  const Decoded decoded("ipv4_tcp_syn");
  const auto header = decoded.header<EthernetHeader>();
  EXPECT_THAT(header.destination(), ElementsAre(2, 0, 0, 0, 0, 1));
  EXPECT_THAT(header.source(), ElementsAre(2, 0, 0, 0, 0, 2));
  EXPECT_EQ(header.type(), 0x0800);
}

TEST(Headers, ReadArp) {
  const Decoded decoded("arp_request");
  const auto header = decoded.header<ArpHeader>();
  EXPECT_EQ(header.hardware_type(), 1);
  EXPECT_EQ(header.protocol_type(), 0x0800);
  EXPECT_EQ(header.operation(), 1);
  EXPECT_THAT(header.sender_hardware(), ElementsAre(2, 0, 0, 0, 0, 2));
  EXPECT_THAT(header.sender_address(), ElementsAre(192, 168, 2, 5));
  EXPECT_THAT(header.target_hardware(), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(header.target_address(), ElementsAre(192, 168, 2, 1));
}

TEST(Headers, ReadIpv4) {
  const Decoded decoded("ipv4_tcp_data");
  const auto header = decoded.header<Ipv4Header>();
  EXPECT_EQ(header.version(), 4);
  EXPECT_EQ(header.ihl(), 5);
  EXPECT_EQ(header.tos(), 0xb8);
  EXPECT_EQ(header.total_length(), 58);
  EXPECT_EQ(header.id(), 0x1234);
  EXPECT_EQ(header.flags(), Ipv4Header::kDontFragment);
  EXPECT_EQ(header.fragment_word(), 0x4000);
  EXPECT_EQ(header.fragment_offset(), 0);
  EXPECT_EQ(header.ttl(), 63);
  EXPECT_EQ(header.protocol(), kProtocolTcp);
  EXPECT_THAT(header.source(), ElementsAre(192, 168, 2, 5));
  EXPECT_THAT(header.destination(), ElementsAre(8, 8, 8, 8));
}

TEST(Headers, ReadIpv4Fragments) {
  const Decoded decoded("ipv4_fragment_later");
  const auto header = decoded.header<Ipv4Header>();
  EXPECT_EQ(header.flags(), Ipv4Header::kMoreFragments);
  EXPECT_EQ(header.fragment_offset(), 185);
}

TEST(Headers, ReadIpv4Options) {
  EXPECT_THAT(ipv4_options(Decoded("ipv4_options").event()), ElementsAre(7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_TRUE(ipv4_options(Decoded("ipv4_tcp_syn").event()).empty());
  EXPECT_THAT(ipv4_options(Decoded("ipv4_options_cut").event()), ElementsAre(7, 11, 4, 0, 0, 0));
}

TEST(Headers, ReadIpv6) {
  const Decoded decoded("ipv6_tcp_syn");
  const auto header = decoded.header<Ipv6Header>();
  EXPECT_EQ(header.version(), 6);
  EXPECT_EQ(header.traffic_class(), 0x28);
  EXPECT_EQ(header.flow_label(), 0xabcdeU);
  EXPECT_EQ(header.payload_length(), 40);
  EXPECT_EQ(header.next_header(), kProtocolTcp);
  EXPECT_EQ(header.hop_limit(), 64);
  EXPECT_THAT(header.source(), ElementsAre(0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2));
  EXPECT_THAT(header.destination(), ElementsAre(0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
}

TEST(Headers, FindTheFragmentHeaderOfFirstAndLaterFragments) {
  const Decoded first("ipv6_fragment_first");
  EXPECT_EQ(find_ipv6_fragment(first.event()).value().fragment_offset(), 0);
  EXPECT_TRUE(find_ipv6_fragment(first.event()).value().more_fragments());
  const Decoded later("ipv6_fragment_later");
  EXPECT_EQ(find_ipv6_fragment(later.event()).value().fragment_offset(), 181);
  EXPECT_EQ(find_ipv6_fragment(later.event()).value().id(), 0xcafe0001);
  EXPECT_EQ(find_ipv6_fragment(later.event()).value().fragment_word(), (181U << 3U) | 1U);
  EXPECT_TRUE(find_ipv6_fragment(Decoded("ipv6_all_extensions").event()).has_value());
  EXPECT_FALSE(find_ipv6_fragment(Decoded("ipv6_udp").event()).has_value());
  EXPECT_FALSE(find_ipv6_fragment(Decoded("ipv4_fragment_later").event()).has_value());
  EXPECT_FALSE(find_ipv6_fragment(Decoded("ipv6_fragment_header_cut").event()).has_value());
}

TEST(Headers, ReadTcp) {
  const Decoded decoded("ipv4_tcp_data");
  const auto header = decoded.header<TcpHeader>();
  EXPECT_EQ(header.source_port(), 43210);
  EXPECT_EQ(header.destination_port(), 443);
  EXPECT_EQ(header.seq(), 0x01020304U);
  EXPECT_EQ(header.ack(), 0x0a0b0c0dU);
  EXPECT_EQ(header.data_offset(), 5);
  EXPECT_EQ(header.reserved(), 0);
  EXPECT_EQ(header.flags(), TcpHeader::kPsh | TcpHeader::kAck);
  EXPECT_EQ(header.window(), 64240);
  EXPECT_EQ(header.checksum(), 0xbeef);
  EXPECT_EQ(header.urgent(), 0);
}

TEST(Headers, ReadAllTcpFlags) {
  const Decoded decoded("ipv4_tcp_all_flags");
  const auto header = decoded.header<TcpHeader>();
  EXPECT_EQ(header.flags(), TcpHeader::kFin | TcpHeader::kSyn | TcpHeader::kRst | TcpHeader::kPsh | TcpHeader::kAck |
                                TcpHeader::kUrg | TcpHeader::kEce | TcpHeader::kCwr | TcpHeader::kNs);
  EXPECT_EQ(header.reserved(), 0x0f);
  EXPECT_EQ(header.urgent(), 0x55aa);
}

TEST(Headers, ReadTcpOptionsAsFarAsCaptured) {
  EXPECT_EQ(tcp_options(Decoded("ipv4_tcp_syn").event()).size(), 20U);
  EXPECT_EQ(tcp_options(Decoded("ipv4_tcp_options_cut").event()).size(), 10U);
  EXPECT_TRUE(tcp_options(Decoded("ipv4_tcp_bad_offset").event()).empty());
  EXPECT_TRUE(tcp_options(Decoded("ipv4_udp_dns").event()).empty());
}

TEST(Headers, ReadUdp) {
  const Decoded decoded("ipv6_udp");
  const auto header = decoded.header<UdpHeader>();
  EXPECT_EQ(header.source_port(), 40001);
  EXPECT_EQ(header.destination_port(), 53);
  EXPECT_EQ(header.length(), 37);
  EXPECT_EQ(header.checksum(), 0x1bbe);
}

TEST(Headers, ReadIcmp) {
  const auto echo = Decoded("ipv4_icmp_echo");
  EXPECT_EQ(echo.header<IcmpHeader>().type(), IcmpHeader::kEcho);
  EXPECT_EQ(echo.header<IcmpHeader>().code(), 0);
  EXPECT_EQ(echo.header<IcmpHeader>().checksum(), 0xf7fb);
  EXPECT_EQ(echo.header<IcmpHeader>().id(), 0x1234);
  EXPECT_EQ(echo.header<IcmpHeader>().sequence(), 1);
  const auto too_big = Decoded("ipv4_icmp_frag_needed");
  EXPECT_EQ(too_big.header<IcmpHeader>().mtu(), 1400);
  const auto redirect = Decoded("ipv4_icmp_redirect");
  EXPECT_EQ(redirect.header<IcmpHeader>().gateway(), 0xc0a80201);
  const auto problem = Decoded("ipv4_icmp_parameter_problem");
  EXPECT_EQ(problem.header<IcmpHeader>().pointer(), 20);
}

TEST(Headers, ReadIcmpv6) {
  const auto echo = Decoded("ipv6_icmpv6_echo");
  EXPECT_EQ(echo.header<Icmpv6Header>().type(), Icmpv6Header::kEchoRequest);
  EXPECT_EQ(echo.header<Icmpv6Header>().id(), 0x1234);
  EXPECT_EQ(echo.header<Icmpv6Header>().sequence(), 2);
  EXPECT_EQ(echo.header<Icmpv6Header>().checksum(), 0x4c80);
  const auto too_big = Decoded("ipv6_icmpv6_too_big");
  EXPECT_EQ(too_big.header<Icmpv6Header>().mtu(), 1280U);
}

TEST(Headers, ReadSctpAhAndEsp) {
  const auto sctp = Decoded("ipv4_sctp_init");
  EXPECT_EQ(sctp.header<SctpHeader>().source_port(), 40027);
  EXPECT_EQ(sctp.header<SctpHeader>().destination_port(), 5000);
  EXPECT_EQ(sctp.header<SctpHeader>().verification_tag(), 0x00c0ffeeU);
  EXPECT_EQ(sctp.header<SctpHeader>().checksum(), 0x5bc46445U);
  for (const char* name : {"ipv4_ah_tcp", "ipv6_ah_udp", "ipv6_all_extensions"}) {
    const auto ah = Decoded(name);
    EXPECT_EQ(ah.header<AhHeader>().spi(), 0xdeadbeef) << name;
    EXPECT_EQ(ah.header<AhHeader>().sequence(), 42U) << name;
    EXPECT_EQ(ah.header<AhHeader>().size_bytes(), 24U) << name;
  }
  const auto esp = Decoded("ipv6_esp");
  EXPECT_EQ(esp.header<EspHeader>().spi(), 0x1000U);
  EXPECT_EQ(esp.header<EspHeader>().sequence(), 255U);
}

TEST(Headers, AreNotFoundWhereTheEventHasNoSuchLayer) {
  const Decoded decoded("ipv4_udp_dns");
  EXPECT_FALSE(find_header<TcpHeader>(decoded.event()).has_value());
  EXPECT_FALSE(find_header<Ipv6Header>(decoded.event()).has_value());
  EXPECT_FALSE(find_header<AhHeader>(decoded.event()).has_value());
  EXPECT_FALSE(find_header<ArpHeader>(decoded.event()).has_value());
}

TEST(Headers, GiveThePacketWithoutPadding) {
  EXPECT_EQ(packet_bytes(Decoded("ipv4_tcp_padding").event()).size(), 40U);
  EXPECT_EQ(packet_bytes(Decoded("ipv6_padding").event()).size(), 51U);
  EXPECT_EQ(packet_bytes(Decoded("arp_request").event()).size(), 46U);
}

TEST(Headers, GiveTheDataOfTransport) {
  EXPECT_EQ(text_of(transport_data(Decoded("ipv4_tcp_data").event())), "GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(text_of(transport_data(Decoded("ipv6_padding").event())), "abc");
  EXPECT_EQ(text_of(transport_data(Decoded("ipv4_icmp_echo").event())), "abcdefgh");
  EXPECT_EQ(transport_data(Decoded("ipv4_tcp_snaplen").event()).size(), 12U);
  EXPECT_TRUE(transport_data(Decoded("ipv4_fragment_later").event()).empty());
}

TEST(Headers, EndTheDataOfUdpWhereItsLengthSays) {
  EXPECT_EQ(text_of(transport_data(Decoded("ipv4_udp_length_short").event())), "long");
  EXPECT_EQ(text_of(transport_data(Decoded("ipv4_udp_length_long").event())), "data");
  EXPECT_EQ(text_of(transport_data(Decoded("ipv4_udp_length_zero").event())), "data");
  EXPECT_EQ(text_of(transport_data(Decoded("ipv6_jumbogram").event())), "jumbo");
  EXPECT_TRUE(transport_data(Decoded("ipv4_udp_length_small").event()).empty());
}

}  // namespace
}  // namespace nfbus::host
