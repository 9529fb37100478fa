#include "formats/packet.hpp"

#include "format_support.hpp"
#include "packets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace nfbus::host {
namespace {

using test::Object;
using test::PacketEvent;
using test::RecordBuilder;
using test::rendered;
using ::testing::ElementsAre;

// ---- Against SPR's own programs
// --------------------------------------------------------------------------------------

test::ByteVector from_base64(const std::string& text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  test::ByteVector bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char digit : text.substr(0, text.find('='))) {
    bits = bits << 6U | static_cast<std::uint32_t>(kDigits.find(digit));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::uint8_t>(bits >> count));
  }
  return bytes;
}

std::string without_colons(std::string text) {
  std::erase(text, ':');
  return text;
}

// The record that the kernel must have given for what SPR wrote.
RecordBuilder record_of(const Object& event) {
  const bool output = !event.contains("Ethernet");
  RecordBuilder record(AF_INET, 0x0800, output ? 3 : 1);
  record.text(NFULA_PREFIX, event["Prefix"].get<std::string>());
  if (!output) {
    const Object& ethernet = event["Ethernet"];
    record.short_number(NFULA_HWTYPE, ethernet["HwType"].get<std::uint16_t>());
    record.attribute(NFULA_HWHEADER, test::from_hex(without_colons(ethernet["DstMAC"].get<std::string>() +
                                                                   ethernet["SrcMAC"].get<std::string>()) +
                                                    "0800"));
  }
  test::ByteVector packet = from_base64(event["IP"]["Contents"]);
  std::ranges::copy(from_base64(event["IP"]["Payload"]), std::back_inserter(packet));
  return record.attribute(NFULA_PAYLOAD, packet);
}

std::int64_t time_of(const std::string& timestamp) {
  std::tm utc{};
  const char* fraction = strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  return timegm(&utc) * 1'000'000'000 + static_cast<std::int64_t>(std::stod(fraction) * 1'000'000 + 0.5) * 1'000;
}

// SPR's keys and values in their order; between them may stand ours.
void expect_all_of(const Object& theirs, const Object& ours) {
  auto our = ours.begin();
  for (auto their = theirs.begin(); their != theirs.end(); ++their, ++our) {
    while (our != ours.end() && our.key() != their.key()) ++our;
    ASSERT_NE(our, ours.end()) << their.key() << " is missing or not in its place: " << ours.dump();
    EXPECT_EQ(our.value().dump(), their.value().dump()) << their.key();
  }
}

void expect_none_but(const Object& theirs, std::vector<std::string> extensions, const Object& ours) {
  for (const auto& [key, value] : theirs.items()) extensions.push_back(key);
  for (const auto& [key, value] : ours.items()) EXPECT_THAT(extensions, ::testing::Contains(key)) << ours.dump();
}

Object without_bodies(Object event) {
  for (auto& [key, value] : event.items()) {
    if (!value.is_object()) continue;
    value.erase("Contents");
    value.erase("Payload");
  }
  return event;
}

// SPR decodes mDNS no further than UDP, and knows no objects of ICMP and SCTP.
const std::vector<std::string> kExtensions{"DNS", "ICMP", "SCTP", "DecodeError", "Group", "Hook"};

TEST(PacketFormat, HasSprsKeysAndValuesInItsOrder) {
  const test::TimeZone zone("UTC0");
  std::ifstream in(NFBUS_TEST_DATA "/spr/samples.jsonl");
  int count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const Object theirs = Object::parse(Object::parse(line)["value"].get<std::string>());
    SCOPED_TRACE(theirs.dump());
    PacketEvent packet(record_of(theirs).bytes());
    packet.event.action = theirs["Action"] == "blocked" ? NFBUS_ACTION_BLOCKED : NFBUS_ACTION_ALLOWED;
    packet.event.in_name = text(theirs["InDev"].get_ref<const std::string&>());
    packet.event.out_name = text(theirs["OutDev"].get_ref<const std::string&>());
    packet.event.time_ns = time_of(theirs["Timestamp"]);
    std::vector<nfbus_field> fields;
    for (const char* name : {"RecentDomainSrc", "RecentDomainDst"}) {
      if (theirs.contains(name))
        fields.push_back({text(name), text(theirs[name].get_ref<const std::string&>()), NFBUS_VALUE_TEXT, 0});
    }
    packet.event.fields = fields.data();
    packet.event.field_count = static_cast<std::uint32_t>(fields.size());
    const Object full = Object::parse(rendered(packet.event, "packet_full"));
    expect_all_of(theirs, full);
    expect_none_but(theirs, kExtensions, full);
    const Object small = Object::parse(rendered(packet.event, "packet"));
    EXPECT_EQ(small.dump(), without_bodies(full).dump());
  }
  EXPECT_EQ(count, 32);
}

// "[IPv4 UDP]"
std::vector<std::string> keys_of_decoded(const std::string& names) {
  std::vector<std::string> keys;
  if (names.find("IPv4") != std::string::npos) keys.emplace_back("IP");
  if (names.find("UDP") != std::string::npos) keys.emplace_back("UDP");
  return keys;
}

TEST(PacketFormat, DecodesTheLayersThatSprDoesAndKeepsTheGoodOnesWhereSprGivesUp) {
  std::ifstream in(NFBUS_TEST_DATA "/spr/layers.tsv");
  int count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const std::size_t name_end = line.find('\t');
    const std::size_t hex_end = line.find('\t', name_end + 1);
    SCOPED_TRACE(line.substr(0, hex_end));
    const std::string hex = line.substr(name_end + 1, hex_end - name_end - 1);
    const Object theirs = Object::parse(line.substr(hex_end + 1));
    const bool ipv6 = hex[0] == '6';
    PacketEvent packet(RecordBuilder(ipv6 ? AF_INET6 : AF_INET, ipv6 ? 0x86dd : 0x0800, 1)
                           .attribute(NFULA_PAYLOAD, test::from_hex(hex))
                           .bytes());
    const Object ours = Object::parse(rendered(packet.event, "packet_full"));
    if (!theirs.contains("err")) {
      for (const auto& [key, value] : theirs.items())
        EXPECT_EQ(nlohmann::json(ours[key]), nlohmann::json(value)) << key;
      for (const char* key : {"Ethernet", "TCP", "UDP", "IP", "DHCP"}) {
        EXPECT_EQ(ours.contains(key), theirs.contains(key)) << key;
      }
    } else if (ipv6) {
      EXPECT_EQ(ours["IP"]["Version"], 6) << "SPR knows IPv4 alone";
    } else {
      EXPECT_TRUE(ours.contains("DecodeError")) << ours.dump();
      for (const std::string& key : keys_of_decoded(theirs["decoded"])) EXPECT_TRUE(ours.contains(key)) << key;
    }
  }
  EXPECT_EQ(count, 52);
}

// ---- Beyond SPR
// ------------------------------------------------------------------------------------------------------

Object object_of(const std::string& fixture, std::string_view format = "packet") {
  PacketEvent packet(nfbus::test::load_packet(NFBUS_TEST_DATA, fixture).record);
  return Object::parse(rendered(packet.event, format));
}

std::vector<std::string> keys_of(const Object& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(PacketFormat, ShowsIpv6InTheIpObject) {
  const Object tcp = object_of("ipv6_tcp_syn");
  const Object& ip = tcp["IP"];
  EXPECT_THAT(keys_of(ip),
              ElementsAre("Version", "Length", "TTL", "Protocol", "TrafficClass", "FlowLabel", "SrcIP", "DstIP"));
  EXPECT_EQ(ip["Version"], 6);
  EXPECT_EQ(ip["Protocol"], 6);
  EXPECT_EQ(ip["SrcIP"], "fd77::2");
  EXPECT_TRUE(tcp["TCP"]["SYN"]);
  EXPECT_EQ(object_of("ipv6_all_extensions")["IP"]["Protocol"], 6) << "behind the extension headers";
}

// gopacket's IPv4 object has 16 bits for Id and Length: larger numbers break SPR's clients.
TEST(PacketFormat, GivesNoNumberThatSprsClientsCannotHold) {
  const Object first = object_of("ipv6_fragment_first");
  EXPECT_FALSE(first["IP"].contains("Id"));
  EXPECT_GT(first["IP"]["FragmentId"].get<std::uint32_t>(), 0U);
  test::ByteVector packet(65535, 0);
  packet[0] = 0x60;
  packet[4] = packet[5] = 0xff;
  packet[6] = 17;
  packet.resize(65500);
  PacketEvent longest(RecordBuilder(AF_INET6, 0x86dd, 1).attribute(NFULA_PAYLOAD, packet).bytes());
  EXPECT_EQ(Object::parse(rendered(longest.event, "packet"))["IP"]["Length"], 65535);
}

TEST(PacketFormat, ShowsNoTransportLayerInAnyFragment) {
  for (const char* name : {"ipv4_fragment_first", "ipv4_fragment_later", "ipv4_fragment_last", "ipv6_fragment_first",
                           "ipv6_fragment_later"}) {
    const Object object = object_of(name);
    SCOPED_TRACE(object.dump());
    EXPECT_TRUE(object.contains("IP"));
    for (const char* key : {"TCP", "UDP", "ICMP", "ICMPv6", "SCTP"}) EXPECT_FALSE(object.contains(key));
  }
  EXPECT_EQ(object_of("ipv6_fragment_first")["IP"]["Flags"], 1);
  EXPECT_EQ(object_of("ipv6_fragment_atomic")["IP"]["Flags"], 0);
  EXPECT_TRUE(object_of("ipv6_fragment_atomic").contains("TCP")) << "the only fragment is the whole packet";
}

TEST(PacketFormat, HasObjectsOfItsOwnForWhatSprDoesNotShow) {
  EXPECT_EQ(object_of("ipv4_icmp_echo")["ICMP"]["Type"], 8);
  EXPECT_THAT(keys_of(object_of("ipv4_icmp_echo")["ICMP"]), ElementsAre("Type", "Code", "Checksum", "Id", "Seq"));
  EXPECT_THAT(keys_of(object_of("ipv4_icmp_frag_needed")["ICMP"]), ElementsAre("Type", "Code", "Checksum", "MTU"));
  EXPECT_THAT(keys_of(object_of("ipv4_icmp_redirect")["ICMP"]), ElementsAre("Type", "Code", "Checksum", "Gateway"));
  EXPECT_THAT(keys_of(object_of("ipv4_icmp_parameter_problem")["ICMP"]),
              ElementsAre("Type", "Code", "Checksum", "Pointer"));
  EXPECT_THAT(keys_of(object_of("ipv6_icmpv6_echo")["ICMPv6"]), ElementsAre("Type", "Code", "Checksum", "Id", "Seq"));
  EXPECT_THAT(keys_of(object_of("ipv6_icmpv6_too_big")["ICMPv6"]), ElementsAre("Type", "Code", "Checksum", "MTU"));
  EXPECT_EQ(object_of("ipv6_icmpv6_router_advertisement")["ICMPv6"]["Type"], 134);
  EXPECT_THAT(keys_of(object_of("ipv4_sctp_init")["SCTP"]),
              ElementsAre("SrcPort", "DstPort", "VerificationTag", "Checksum"));
  const Object arp = object_of("arp_request");
  EXPECT_THAT(keys_of(arp["ARP"]), ElementsAre("HwType", "Operation", "SrcMAC", "SrcIP", "DstMAC", "DstIP"));
  EXPECT_EQ(arp["ARP"]["Operation"], 1);
  EXPECT_THAT(keys_of(object_of("bridge_vlan")["VLAN"]), ElementsAre("Id", "Priority", "DropEligible", "Protocol"));
  EXPECT_EQ(object_of("bridge_vlan")["VLAN"]["Protocol"], 0x8100);
}

TEST(PacketFormat, NamesTheTargetOfANeighbourSolicitation) {
  const std::string target = "fe8000000000000002005efffe005301";
  PacketEvent packet(RecordBuilder(AF_INET6, 0x86dd, 1)
                         .attribute(NFULA_PAYLOAD, test::from_hex("6000000000183aff"
                                                                  "fe800000000000000000000000000001"
                                                                  "ff0200000000000000000001ff005301"
                                                                  "8700000000000000" +
                                                                  target))
                         .bytes());
  EXPECT_EQ(Object::parse(rendered(packet.event, "packet"))["ICMPv6"]["Target"], "fe80::200:5eff:fe00:5301");
}

TEST(PacketFormat, KeepsTheGoodLayersOfABrokenPacketAndSaysWhatIsWrong) {
  const Object cut = object_of("ipv4_tcp_options_cut");
  EXPECT_EQ(cut["DecodeError"], "TCP: options cut short");
  EXPECT_TRUE(cut.contains("TCP"));
  EXPECT_TRUE(cut.contains("IP"));
  const Object header = object_of("ipv4_udp_header_cut");
  EXPECT_FALSE(header.contains("UDP"));
  EXPECT_TRUE(header.contains("IP"));
  EXPECT_TRUE(header.contains("DecodeError"));
  EXPECT_FALSE(object_of("ipv4_udp_dns").contains("DecodeError"));
}

// An IPv4 header of six words with four bytes of options, and eight bytes of UDP.
Object with_ip_options(const std::string& options) {
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1)
                         .attribute(NFULA_PAYLOAD, test::from_hex("460000200000000040110000c0000201c0000202" + options +
                                                                  "0001000200080000"))
                         .bytes());
  return Object::parse(rendered(packet.event, "packet"));
}

TEST(PacketFormat, ShowsOptionsUpToABrokenOne) {
  const Object good = with_ip_options("01010100");
  EXPECT_EQ(good["IP"]["Options"].size(), 4U);
  EXPECT_EQ(good["IP"]["Padding"], "");
  EXPECT_EQ(with_ip_options("00aabbcc")["IP"]["Padding"], "qrvM");
  EXPECT_EQ(with_ip_options("94040000")["IP"]["Padding"], nullptr);
  for (const char* broken : {"01079401", "01019400", "01010194", "94050000"}) {
    const Object object = with_ip_options(broken);
    EXPECT_EQ(object["DecodeError"], "IPv4: option of impossible length") << broken;
    EXPECT_EQ(object["UDP"]["DstPort"], 2) << broken;
  }
  EXPECT_EQ(with_ip_options("01019400")["IP"]["Options"].size(), 2U);
}

TEST(PacketFormat, GivesWhatTheKernelKnowsOnlyWhereItDoes) {
  constexpr std::uint16_t kUnknownType = 0x88b5;  // IEEE's for experiments: no layer, no error
  RecordBuilder record(AF_INET, kUnknownType, 3);
  record.number(NFULA_MARK, 7).number(NFULA_UID, 1000).number(NFULA_GID, 100).number(NFULA_SEQ, 42);
  PacketEvent output(record.bytes());
  output.event.group = 5;
  const Object known = Object::parse(rendered(output.event, "packet"));
  EXPECT_THAT(keys_of(known), ElementsAre("Prefix", "Action", "Timestamp", "InDev", "OutDev", "Group", "Mark", "UID",
                                          "GID", "Hook", "Seq"));
  EXPECT_EQ(known["Group"], 5);
  EXPECT_EQ(known["Mark"], 7);
  EXPECT_EQ(known["UID"], 1000);
  EXPECT_EQ(known["GID"], 100);
  EXPECT_EQ(known["Hook"], 3);
  EXPECT_EQ(known["Seq"], 42);
  PacketEvent input(RecordBuilder(AF_INET, kUnknownType, 1).bytes());
  EXPECT_THAT(keys_of(Object::parse(rendered(input.event, "packet"))),
              ElementsAre("Prefix", "Action", "Timestamp", "InDev", "OutDev", "Group", "Hook"));
}

TEST(PacketFormat, LimitsPayloadsToWhatWasCaptured) {
  const Object object = object_of("ipv4_tcp_snaplen", "packet_full");
  EXPECT_GT(object["IP"]["Length"].get<std::size_t>(), from_base64(object["IP"]["Payload"]).size() + 20);
  const Object padded = object_of("ipv4_tcp_padding", "packet_full");
  EXPECT_EQ(padded["IP"]["Length"].get<std::size_t>(), from_base64(padded["IP"]["Payload"]).size() + 20)
      << "what the link added is no payload";
}

TEST(PacketFormat, KeepsAPrefixThatIsNotUtf8ReadableAndUntrimmed) {
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).text(NFULA_PREFIX, " caf\xe9 <&> \"q\" ").bytes());
  EXPECT_EQ(Object::parse(rendered(packet.event, "packet"))["Prefix"], " caf\xef\xbf\xbd <&> \"q\" ");
}

TEST(PacketFormat, GivesTheTimeAsSprDoes) {
  const auto timestamp = [](const char* zone_name, std::int64_t time_ns) {
    const test::TimeZone zone(zone_name);
    PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).bytes());
    packet.event.time_ns = time_ns;
    return Object::parse(rendered(packet.event, "packet"))["Timestamp"].get<std::string>();
  };
  EXPECT_EQ(timestamp("UTC0", 1658754317947620000), "2022-07-25T13:05:17.94762Z");
  EXPECT_EQ(timestamp("XXX-5:30", 1658754318000000000), "2022-07-25T18:35:18+05:30");
}

// ---- Fields
// ----------------------------------------------------------------------------------------------------------

TEST(PacketFormat, ShowsDomainsInSprsPlaceAndOtherAnnotationsLast) {
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).bytes());
  const std::array<nfbus_field, 3> fields{
      {{NFBUS_TEXT("RecentDomainDst"), NFBUS_TEXT("www.example.org"), NFBUS_VALUE_TEXT, 0},
       {NFBUS_TEXT("rule"), NFBUS_TEXT("a\"b"), NFBUS_VALUE_TEXT, 0},
       {NFBUS_TEXT("RecentDomainSrc"), NFBUS_TEXT("host.lan"), NFBUS_VALUE_TEXT, 0}}};
  packet.event.fields = fields.data();
  packet.event.field_count = fields.size();
  const std::string line = rendered(packet.event, "packet");
  EXPECT_TRUE(line.starts_with(R"({"RecentDomainSrc":"host.lan","RecentDomainDst":"www.example.org","Prefix":)"))
      << line;
  EXPECT_TRUE(line.ends_with(R"(,"Fields":{"rule":"a\"b"}})")) << line;
  packet.event.field_count = 1;
  EXPECT_FALSE(Object::parse(rendered(packet.event, "packet")).contains("Fields"));
}

TEST(PacketFormat, RendersMessagesAsTheUlogdFormatDoes) {
  Event event = test::message_event("app:status", R"({"a": 1})", 1658754418000000000);
  EXPECT_EQ(rendered(event, "packet"), rendered(event, "ulogd"));
  EXPECT_EQ(rendered(event, "packet_full"), rendered(event, "ulogd"));
  const nfbus_field field{NFBUS_TEXT("RecentDomainSrc"), NFBUS_TEXT("x"), NFBUS_VALUE_TEXT, 0};
  event.fields = &field;
  event.field_count = 1;
  EXPECT_EQ(rendered(event, "packet"), rendered(event, "ulogd")) << "a field like any other";
}

// ---- Whatever comes
// --------------------------------------------------------------------------------------------------

TEST(PacketFormat, IsValidJsonForEveryPacketWithAndWithoutFields) {
  const nfbus_field field{NFBUS_TEXT("na\"me"), NFBUS_TEXT("va\xfflue"), NFBUS_VALUE_TEXT, 0};
  for (const nfbus::test::Packet& fixture : nfbus::test::load_packets(NFBUS_TEST_DATA)) {
    SCOPED_TRACE(fixture.name);
    PacketEvent packet(fixture.record);
    for (const char* format : {"packet", "packet_full"}) {
      const Object plain = Object::parse(rendered(packet.event, format));
      const std::string error = plain.value("DecodeError", "");
      EXPECT_TRUE(error == fixture.error || error.starts_with("DNS: ") || error.starts_with("DHCP: ")) << error;
      EXPECT_EQ(plain.contains("Ethernet"), (fixture.layers & NFBUS_LAYER_ETHERNET) != 0);
      EXPECT_EQ(plain.contains("VLAN"), (fixture.layers & NFBUS_LAYER_VLAN) != 0);
      EXPECT_EQ(plain.contains("ARP"), (fixture.layers & NFBUS_LAYER_ARP) != 0);
      EXPECT_EQ(plain.contains("IP"), (fixture.layers & (NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6)) != 0);
      packet.event.fields = &field;
      packet.event.field_count = 1;
      EXPECT_TRUE(Object::parse(rendered(packet.event, format)).contains("Fields"));
      packet.event.field_count = 0;
    }
  }
}

TEST(PacketFormat, IsValidJsonWhateverTheRecordHolds) {
  std::mt19937 random(4);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same records in each run
  const auto fixtures = nfbus::test::load_packets(NFBUS_TEST_DATA);
  for (int round = 0; round < 20000; ++round) {
    test::ByteVector record = fixtures[random() % fixtures.size()].record;
    if (record.empty()) continue;
    for (unsigned change = random() % 8; change != 0; --change) {
      record[random() % record.size()] = static_cast<std::uint8_t>(random());
    }
    record.resize(record.size() - (random() % 3 == 0 ? random() % record.size() : 0));
    PacketEvent packet(record);
    for (const char* format : {"packet", "packet_full"}) {
      const std::string line = rendered(packet.event, format);
      ASSERT_TRUE(Object::accept(line)) << line;
      ASSERT_EQ(line.find('\n'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace nfbus::host
