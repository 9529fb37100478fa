// What each key means: which events its plain and its negated form select.
#include "match/match.hpp"
//
#include "made_event.hpp"

namespace nfbus::host::test {
namespace {

using nlohmann::json;

constexpr unsigned kTcp = 6;
constexpr unsigned kUdp = 17;
constexpr unsigned kSyn = 2;
constexpr unsigned kAck = 16;

MadeEvent syn(const std::string& source = "192.0.2.1", const std::string& destination = "198.51.100.7") {
  return MadeEvent(ipv4(source, destination, kTcp, tcp(40000, 443, kSyn)));
}
MadeEvent syn6() { return MadeEvent(ipv6("2001:db8::1", "2001:db8:1::2", kTcp, tcp(40000, 443, kSyn))); }

// Both forms, of an event that has the field.
void expect(const char* key, const json& value, const MadeEvent& made, bool expected) {
  EXPECT_EQ(holds({{key, value}}, made), expected) << key << " = " << value;
  EXPECT_EQ(holds({{std::string("!") + key, value}}, made), !expected) << '!' << key << " = " << value;
}

TEST(MatchKeys, SelectByTopicWholeOrWithAStar) {
  const MadeEvent event = syn();
  expect("topic", "nft:drop:input", event, true);
  expect("topic", "nft:drop", event, false);
  expect("topic", "nft:drop:*", event, true);
  expect("topic", "*:input", event, true);
  expect("topic", "nft:*:in*t", event, true);
  expect("topic", "nft:*:in*x", event, false);
  expect("topic", "*", event, true);
  expect("topic", json::array({"dns:serve:*", "nft:*"}), event, true);
  expect("topic", "nft:Drop:Input ", event, true);
  expect("topic", "NFT:DROP:*", event, true);
  EXPECT_TRUE(holds({{"topic", "nft: drop:Input"}}, event, {.names = {}, .any = false, .topic_root = "nft:"}));
  expect("topic", "nft:Lan:*", event, false);
}

TEST(MatchKeys, SelectByPrefixTrimmedAndWithoutRegardToCase) {
  const MadeEvent event = syn();
  expect("prefix", "drop:input ", event, true);
  expect("prefix", "drop:input", event, true);
  expect("prefix", "Drop:Input", event, true);
  expect("prefix", "drop:*", event, true);
  expect("prefix", "drop:inpu", event, false);
  MadeEvent bare = syn();
  bare.event.prefix = {};
  expect("prefix", "", bare, true);
  expect("prefix", "drop:input", bare, false);
}

TEST(MatchKeys, SelectByWhatTheRuleIs) {
  MadeEvent event = syn();
  expect("action", "blocked", event, true);
  expect("action", "allowed", event, false);
  expect("action", json::array({"allowed", "blocked"}), event, true);
  expect("group", 1, event, true);
  expect("group", "0-2", event, true);
  expect("group", 2, event, false);
  event.set(event.event.in_name, "wan0");
  expect("in", "wan0", event, true);
  expect("in", "wan*", event, true);
  expect("in", "lan*", event, false);
  expect("out", "*", event, false);  // has none
}

TEST(MatchKeys, TakeAnEventForOneOfItsTablesFamilyAndOfItsPackets) {
  expect("family", "ip", syn(), true);
  expect("family", "ipv4", syn(), true);
  expect("family", "ip6", syn(), false);
  expect("family", "inet6", syn6(), true);
  expect("family", "inet", syn6(), true);
  MadeEvent bridged = syn6();
  bridged.event.family = NFPROTO_BRIDGE;
  expect("family", "bridge", bridged, true);
  expect("family", "ip6", bridged, true);
  expect("family", "ip", bridged, false);
  const MadeEvent request(arp("192.0.2.1", "192.0.2.2"), ETH_P_ARP);
  expect("family", "arp", request, true);
  expect("family", json::array({"ip", "ip6"}), request, false);
}

TEST(MatchKeys, SelectByProtocolBehindAllExtensionHeaders) {
  expect("proto", "tcp", syn(), true);
  expect("proto", "TCP", syn6(), true);
  expect("proto", 6, syn6(), true);
  expect("proto", "6", syn6(), true);
  expect("proto", "udp", syn(), false);
  expect("proto", json::array({"udp", "tcp"}), syn(), true);
  expect("proto", "icmpv6", MadeEvent(ipv6("::1", "::1", 58, icmp(128))), true);
  expect("proto", "icmp", MadeEvent(ipv6("::1", "::1", 58, icmp(128))), false);
  expect("proto", "tcp", MadeEvent(ipv6("::1", "::1", 0, {6, 0, 1, 4, 0, 0, 0, 0})), true);
  expect("proto", "tcp", MadeEvent(arp("192.0.2.1", "192.0.2.2"), ETH_P_ARP), false);
}

TEST(MatchKeys, SelectByAddressAloneInANetworkAndInARange) {
  const MadeEvent event = syn("10.1.2.3", "198.51.100.7");
  expect("src", "10.1.2.3", event, true);
  expect("src", "10.1.2.4", event, false);
  expect("dst", "10.1.2.3", event, false);
  expect("src", "10.0.0.0/8", event, true);
  expect("src", "10.9.9.9/8", event, true);  // what stands behind the prefix is ignored
  expect("src", "10.1.2.2/31", event, true);
  expect("src", "10.1.2.4/31", event, false);
  expect("src", "0.0.0.0/0", event, true);
  expect("src", "10.1.2.3/32", event, true);
  expect("src", "10.1.2.3-10.1.2.5", event, true);
  expect("src", "10.1.2.1-10.1.2.3", event, true);
  expect("src", "10.1.2.4-10.1.2.5", event, false);
  expect("src", "::/0", event, false);
  expect("dst", json::array({"224.0.0.0/4", "ff00::/8", "198.51.100.0/24"}), event, true);
  expect("host", "10.1.2.3", event, true);
  expect("host", "198.51.100.7", event, true);
  expect("host", "198.51.100.8", event, false);
}

TEST(MatchKeys, TreatIpv6AddressesLikeIpv4s) {
  const MadeEvent event = syn6();
  expect("src", "2001:db8::1", event, true);
  expect("src", "2001:db8::/32", event, true);
  expect("src", "2001:db8::/64", event, true);
  expect("src", "2001:db8::/127", event, true);
  expect("src", "2001:db8::2/127", event, false);
  expect("src", "2001:db8::1/128", event, true);
  expect("src", "::/0", event, true);
  expect("src", "0.0.0.0/0", event, false);
  expect("src", "8000::/1", event, false);
  expect("dst", "2001:db8:1::-2001:db8:1::2", event, true);
  expect("dst", "2001:db8:1::3-2001:db8:2::", event, false);
  expect("host", "2001:db8:1::/48", event, true);
}

TEST(MatchKeys, SearchLongListsOfAddresses) {
  json odd = json::array();
  json odd6 = json::array();
  for (int i = 1; i < 200; i += 2) {
    odd.push_back("10.0.0." + std::to_string(i));
    odd6.push_back("2001:db8::" + std::to_string(i));
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(holds({{"src", odd}}, syn("10.0.0." + std::to_string(i))), i % 2 == 1) << i;
    const MadeEvent six(ipv6("2001:db8::" + std::to_string(i), "::1", kUdp, udp(1, 2)));
    EXPECT_EQ(holds({{"src", odd6}}, six), i % 2 == 1) << i;
  }
  EXPECT_FALSE(holds({{"src", odd}}, syn("9.255.255.255")));
  EXPECT_FALSE(holds({{"src", odd}}, syn("10.0.0.200")));
}

TEST(MatchKeys, KnowTheAddressesOfArp) {
  const MadeEvent request(arp("192.0.2.1", "192.0.2.2"), ETH_P_ARP);
  expect("src", "192.0.2.1", request, true);
  expect("dst", "192.0.2.2", request, true);
  expect("host", "192.0.2.0/24", request, true);
  expect("host", "::/0", request, false);
}

TEST(MatchKeys, SelectByPort) {
  const MadeEvent event = syn();
  expect("dport", 443, event, true);
  expect("sport", 443, event, false);
  expect("port", 443, event, true);
  expect("port", 40000, event, true);
  expect("port", "39999-40001", event, true);
  expect("port", json::array({53, "1000-2000"}), event, false);
  expect("port", json::array({53, "400-500"}), event, true);
  expect("dport", "0-65535", event, true);
  expect("dport", "0-65535", MadeEvent(ipv4("192.0.2.1", "192.0.2.2", kTcp, tcp(1, 2, kSyn), 0x0010)), false);
  expect("dport", "0-65535", MadeEvent(ipv4("192.0.2.1", "192.0.2.2", 1, icmp(8))), false);
}

TEST(MatchKeys, SelectByHardwareAddressOfEitherSideAndOfTheSender) {
  MadeEvent event = syn();
  expect("mac", "02:00:00:00:00:0a", event, false);
  event.ethernet({2, 0, 0, 0, 0, 0x0a, 2, 0, 0, 0, 0, 0x0b, 8, 0});
  expect("mac", "02:00:00:00:00:0A", event, true);
  expect("mac", "02-00-00-00-00-0b", event, true);
  expect("mac", "02:00:00:00:00:0c", event, false);
  MadeEvent sender = syn();
  const std::uint8_t address[] = {2, 0, 0, 0, 0, 0x0c};
  sender.event.hw_address = {address, sizeof address};
  expect("mac", json::array({"02:00:00:00:00:0c", "02:00:00:00:00:0d"}), sender, true);
}

TEST(MatchKeys, SelectByMarkWhereTheKernelLeavesZeroOut) {
  MadeEvent event = syn();
  expect("mark", 0, event, true);
  expect("mark", 1, event, false);
  event.event.present |= NFBUS_HAS_MARK;
  event.event.mark = 0x1234;
  expect("mark", 0x1234, event, true);
  expect("mark", "0x1234", event, true);
  expect("mark", "0x1200/0xff00", event, true);
  expect("mark", "0x34/0xff", event, true);
  expect("mark", "0x34", event, false);
  expect("mark", "0/0x8", event, true);
  expect("mark", json::array({1, "4660"}), event, true);
}

TEST(MatchKeys, SelectByOwnerAndLength) {
  MadeEvent event = syn();
  expect("uid", 0, event, false);
  event.event.present |= NFBUS_HAS_UID;
  event.event.uid = 1000;
  expect("uid", 1000, event, true);
  expect("uid", "1000-1999", event, true);
  expect("uid", 0, event, false);
  expect("length", 40, event, true);
  expect("length", "41-65535", event, false);
}

TEST(MatchKeys, SelectByTcpFlagsOfWhichAllMustBeSo) {
  const MadeEvent first = syn();
  const MadeEvent answer(ipv4("192.0.2.1", "192.0.2.2", kTcp, tcp(443, 40000, kSyn | kAck)));
  expect("tcp_flags", "syn", first, true);
  expect("tcp_flags", "syn", answer, true);
  expect("tcp_flags", "syn,!ack", first, true);
  expect("tcp_flags", "SYN, !ACK", first, true);
  expect("tcp_flags", "syn,!ack", answer, false);
  expect("tcp_flags", "!fin,!rst", answer, true);
  expect("tcp_flags", json::array({"fin", "rst", "syn,ack"}), answer, true);
  expect("tcp_flags", json::array({"fin", "rst"}), answer, false);
  expect("tcp_flags", "!syn", MadeEvent(ipv4("192.0.2.1", "192.0.2.2", kUdp, udp(1, 2))), false);
}

TEST(MatchKeys, SelectByIcmpTypeOfBothVersions) {
  const MadeEvent echo(ipv4("192.0.2.1", "192.0.2.2", 1, icmp(8)));
  const MadeEvent echo6(ipv6("2001:db8::1", "2001:db8::2", 58, icmp(128)));
  expect("icmp_type", "echo-request", echo, true);
  expect("icmp_type", "echo-request", echo6, true);
  expect("icmp_type", "echo_request", echo6, true);
  expect("icmp_type", 8, echo, true);
  expect("icmp_type", 8, echo6, false);
  expect("icmp_type", 128, echo6, true);
  expect("icmp_type", "128-136", echo6, true);
  expect("icmp_type", "nd-neighbor-solicit", echo6, false);
  expect("icmp_type", "neighbour-solicitation", MadeEvent(ipv6("::1", "::1", 58, icmp(135))), true);
  expect("icmp_type", "0-255", syn(), false);
}

TEST(MatchKeys, SelectByDomainsThatFiltersLearned) {
  MadeEvent event = syn();
  expect("domain", "*", event, false);
  event.annotate("RecentDomainDst", "WWW.Example.com.");
  expect("domain", "www.example.com", event, true);
  expect("domain", "www.EXAMPLE.com.", event, true);
  expect("domain", "*.example.com", event, true);
  expect("domain", "example.com", event, false);
  event.annotate("RecentDomainSrc", "laptop.lan");
  expect("domain", json::array({"*.lan", "*.home.arpa"}), event, true);
}

// A query of the name, as it stands in a DNS message.
PacketBytes dns_query(std::initializer_list<std::string> labels) {
  PacketBytes out = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (const std::string& label : labels) {
    out.push_back(static_cast<std::uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
  }
  out.insert(out.end(), {0, 0, 1, 0, 1});
  return out;
}

TEST(MatchKeys, SelectByDomainsThatADnsMessageAsksFor) {
  const PacketBytes query = dns_query({"WWW", "Example", "com"});
  const MadeEvent event(ipv4("192.0.2.1", "192.0.2.53", kUdp, udp(40000, 53, query)));
  expect("domain", "www.example.com", event, true);
  expect("domain", json::array({"*.org", "*.example.com"}), event, true);
  expect("domain", "example.com", event, false);
  expect("domain", "*.example.com", MadeEvent(ipv6("::1", "::1", kUdp, udp(40000, 53, query))), true);
  expect("domain", "*", MadeEvent(ipv4("192.0.2.1", "192.0.2.53", kUdp, udp(40000, 54, query))), false);
  expect("domain", "*", MadeEvent(ipv4("192.0.2.1", "192.0.2.53", kUdp, udp(40000, 53, {1, 2, 3}))), false);
}

TEST(MatchKeys, SelectByAnnotations) {
  MadeEvent event = syn();
  event.annotate("rule", "block-ads");
  event.annotate("country", "DE");
  expect("rule", "block-*", event, true);
  expect("rule", "Block-*", event, false);
  const KnownFields known{.names = {"country"}, .any = false};
  EXPECT_TRUE(holds({{"country", json::array({"FR", "DE"})}}, event, known));
  EXPECT_FALSE(holds({{"!country", "DE"}}, event, known));
  EXPECT_TRUE(holds({{"!country", "DE"}}, syn(), known));
  EXPECT_FALSE(holds({{"country", "*"}}, syn(), known));
}

TEST(MatchKeys, RunTcpdumpsExpressionsOnThePacket) {
  expect("bpf", "tcp port 443", syn(), true);
  expect("bpf", "tcp port 443", syn6(), true);
  expect("bpf", "udp or ip6", syn(), false);
  expect("bpf", "port https", syn(), true);
  expect("bpf", "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", syn(), true);
  expect("bpf", json::array({"udp", "net 198.51.100.0/24"}), syn(), true);
  expect("bpf", "len = 40", syn(), true);
}

TEST(MatchKeys, FindNoPacketForBpfWhereNoneIs) {
  expect("bpf", "not tcp", MadeEvent(arp("192.0.2.1", "192.0.2.2"), ETH_P_ARP), false);
  // Something else that begins like an IPv4 packet.
  expect("bpf", "ip", MadeEvent(ipv4("192.0.2.1", "192.0.2.2", kUdp, udp(1, 2)), ETH_P_PPP_SES), false);
  const PacketBytes whole = ipv4("192.0.2.1", "192.0.2.2", kTcp, tcp(1, 443, kSyn));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const MadeEvent cut(PacketBytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), ETH_P_IP);
    expect("bpf", "tcp dst port 443", cut, size >= 24);
    expect("bpf", "len = 40", cut, size >= 20);  // its length on the wire
  }
}

TEST(MatchKeys, KnowOnlyTopicAndAnnotationsOfMessages) {
  MadeEvent message = MadeEvent::message("alarm:door");
  message.annotate("rule", "night");
  expect("topic", "alarm:*", message, true);
  expect("topic", "Alarm:*", message, false);  // what its publisher wrote
  expect("topic", "alarm:* ", message, false);
  expect("rule", "night", message, true);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, json>>{
           {"prefix", "*"},     {"action", "allowed"}, {"group", "0-65535"}, {"family", "ip"},      {"in", "*"},
           {"out", "*"},        {"proto", "0-255"},    {"src", "0.0.0.0/0"}, {"dst", "::/0"},       {"host", "::/0"},
           {"sport", "0-1"},    {"dport", "0-1"},      {"port", "0-1"},      {"mark", 0},           {"uid", 0},
           {"length", "0-999"}, {"tcp_flags", "!syn"}, {"icmp_type", 0},     {"bpf", "not port 1"}, {"domain", "*"}}) {
    expect(key, value, message, false);
  }
}

}  // namespace
}  // namespace nfbus::host::test
