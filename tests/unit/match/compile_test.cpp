// Tables: how conditions and tables work together, and what is said of wrong ones.
#include "match/match.hpp"
//
#include "made_event.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

MadeEvent dns_query() { return MadeEvent(ipv4("192.0.2.1", "198.51.100.53", 17, udp(40000, 53))); }

TEST(Matches, HoldWhenAllConditionsOfATableDo) {
  const MadeEvent event = dns_query();
  EXPECT_TRUE(holds({{"proto", "udp"}, {"dport", 53}, {"src", "192.0.2.0/24"}}, event));
  EXPECT_FALSE(holds({{"proto", "udp"}, {"dport", 53}, {"src", "192.0.3.0/24"}}, event));
  EXPECT_TRUE(holds({{"proto", "udp"}, {"!dport", 443}}, event));
  EXPECT_FALSE(holds({{"dport", "50-60"}, {"!dport", 53}}, event));
}

TEST(Matches, NameTheFirstTableThatHolds) {
  const MatchSet tables = compiled(json::array({{{"dport", 443}}, {{"proto", "udp"}}, {{"dport", 53}}}));
  EXPECT_EQ(tables.table_count(), 3U);
  EXPECT_EQ(tables.first(Facts(dns_query().event)), 2U);
  EXPECT_EQ(tables.first(Facts(MadeEvent(ipv4("192.0.2.1", "192.0.2.2", 1, icmp(8))).event)), 0U);
}

TEST(Matches, OfNoTablesNeverHold) {
  EXPECT_EQ(compiled(json::array()).first(Facts(dns_query().event)), 0U);
  EXPECT_EQ(MatchSet().first(Facts(dns_query().event)), 0U);
  EXPECT_EQ(MatchSet().table_count(), 0U);
}

TEST(Matches, TestManyTablesWithTheSameFacts) {
  const MadeEvent event = dns_query();
  const Facts facts(event.event);
  for (int port = 0; port < 100; ++port) EXPECT_EQ(compiled({{"dport", port}})(facts), port == 53);
}

TEST(MatchFaults, NameTableKeyElementAndValue) {
  EXPECT_THAT(faults(json::array({{{"proto", "udp"}}, {{"dst", {"10.0.0.0/8", "10.0.0.0/33"}}}})),
              ElementsAre(R"([1].dst[1]: "10.0.0.0/33": the prefix length is at most 32)"));
  EXPECT_THAT(faults({{"!dst", "2001:db8::/129"}}),
              ElementsAre(R"(!dst: "2001:db8::/129": the prefix length is at most 128)"));
}

TEST(MatchFaults, AreAllFoundAtOnce) {
  EXPECT_THAT(
      faults(json::array({{{"dst", {"x", "y"}}, {"port", 70000}}, 5, json::object()})),
      ElementsAre(R"([0].dst[0]: "x": is no IPv4 or IPv6 address)", R"([0].dst[1]: "y": is no IPv4 or IPv6 address)",
                  "[0].port: 70000: is out of range; it must be 0 to 65535", "[1]: expected a table, found an integer",
                  "[2]: has no conditions, and so would hold for every event; leave it out"));
}

TEST(MatchFaults, SuggestTheKeyThatWasMeant) {
  EXPECT_THAT(faults({{"dts", "10.0.0.1"}}), ElementsAre("dts: unknown key; did you mean \"dst\"?"));
  EXPECT_THAT(faults({{"!porto", "tcp"}}), ElementsAre("!porto: unknown key; did you mean \"!proto\"?"));
  EXPECT_THAT(faults({{"contry", "DE"}}, {.names = {"country"}, .any = false}),
              ElementsAre("contry: unknown key; did you mean \"country\"?"));
  EXPECT_THAT(faults({{"proto!", "tcp"}}), ElementsAre(HasSubstr("write !proto for")));
  EXPECT_THAT(faults({{"zzzzzz", "x"}}), ElementsAre(HasSubstr("neither a key of matches nor a field")));
  EXPECT_THAT(faults({{"", "x"}}), ElementsAre(HasSubstr("unknown key")));
  EXPECT_THAT(faults({{"!", "x"}}), ElementsAre(HasSubstr("unknown key")));
}

TEST(MatchFaults, TakeAnyPlainNameForAnAnnotationWhereAFilterDoesNotSay) {
  const KnownFields any{.names = {}, .any = true};
  EXPECT_THAT(faults({{"country", "DE"}}, any), IsEmpty());
  EXPECT_THAT(faults({{"a country", "DE"}}, any), ElementsAre(HasSubstr("unknown key")));
  EXPECT_THAT(faults({{"rule", "x"}}), IsEmpty());
}

TEST(MatchFaults, TellTheTypeThatIsWanted) {
  EXPECT_THAT(faults({{"dst", 5}}), ElementsAre("dst: expected a string, found an integer"));
  EXPECT_THAT(faults({{"port", 5.5}}), ElementsAre("port: expected a number or a string, found a float"));
  EXPECT_THAT(faults({{"topic", json::array({"a", nullptr})}}),
              ElementsAre("topic[1]: expected a string, found nothing"));
  EXPECT_THAT(faults({{"port", json::array({json::array({1})})}}),
              ElementsAre("port[0]: expected a number or a string, found an array"));
  EXPECT_THAT(faults({{"in", json::object()}}), ElementsAre("in: expected a string, found a table"));
  EXPECT_THAT(faults({{"in", true}}), ElementsAre("in: expected a string, found a boolean"));
  EXPECT_THAT(faults("dst"), ElementsAre("expected a table, found a string"));
  EXPECT_THAT(faults({{"port", json::array()}}),
              ElementsAre("port: lists nothing, and so would never match; leave it out"));
}

// The fault of one value, without the key and the value.
std::string fault_of(const char* key, const json& value) {
  const auto all = faults({{key, value}});
  if (all.size() != 1) return std::to_string(all.size()) + " faults";
  const std::string place = key + std::string(": ") + value.dump() + ": ";
  return all.front().starts_with(place) ? all.front().substr(place.size()) : all.front();
}

TEST(MatchFaults, SayWhatToWriteForNumbersAsOthersWriteThem) {
  const auto advice = [](const char* key, const char* text) {
    const std::string fault = fault_of(key, text);
    const std::size_t at = fault.find("; write ");
    return at == std::string::npos ? fault : fault.substr(at + 8);
  };
  EXPECT_EQ(advice("port", "80,443"), "[80, 443]");
  EXPECT_EQ(advice("port", "{ 22, 80-90, ssh }"), "[22, \"80-90\", 22]");
  EXPECT_EQ(advice("dport", "1000:2000"), "\"1000-2000\"");
  EXPECT_EQ(advice("dport", "1024:"), "\"1024-65535\"");
  EXPECT_EQ(advice("dport", ":1023"), "\"0-1023\"");
  EXPECT_EQ(advice("sport", "ssh"), "22");
  EXPECT_EQ(advice("sport", "HTTPS"), "443");
  EXPECT_EQ(advice("dport", ">1023"), "\"1024-65535\"");
  EXPECT_EQ(advice("dport", "<= 1023"), "\"0-1023\"");
  EXPECT_EQ(advice("dport", "!=80"), "\"!dport\" = 80");
  EXPECT_EQ(advice("dport", "!ssh"), "\"!dport\" = 22");
  EXPECT_EQ(advice("group", "0,1"), "[0, 1]");
  EXPECT_EQ(advice("uid", "80 443"), "[80, 443]");
  EXPECT_EQ(advice("tcp_flags", "S."), "\"syn,ack\"");
  EXPECT_EQ(advice("proto", "tcp,udp"), "[\"tcp\", \"udp\"]");
  EXPECT_EQ(advice("src", "10.0.0.0/8, 192.168.0.0/16"), "[\"10.0.0.0/8\", \"192.168.0.0/16\"]");
  EXPECT_EQ(advice("src", "!10.0.0.0/8"), "\"!src\" = \"10.0.0.0/8\"");
  EXPECT_EQ(advice("src", "10.0.0.0/255.0.0.0"), "\"10.0.0.0/8\"");
  EXPECT_EQ(advice("icmp_type", "{ echo-request, echo-reply }"), "[\"echo-request\", \"echo-reply\"]");
  EXPECT_EQ(advice("uid", "ssh"), "is neither a number nor a range such as \"10-20\"");
  EXPECT_EQ(advice("proto", "ssh"), "port = 22");
  EXPECT_EQ(advice("tcp_flags", "SYN|ACK"), "\"syn,ack\"");
  EXPECT_EQ(advice("tcp_flags", "syn + !ack"), "\"syn,!ack\"");
  EXPECT_EQ(advice("tcp_flags", "FIN SYN"), "\"fin,syn\"");
  EXPECT_THAT(advice("tcp_flags", "syn|foo"), HasSubstr("is no TCP flag"));
}

TEST(MatchFaults, KnowTheNamesThatOthersHaveForTheKeys) {
  const auto meant = [](const json& table) {
    const auto all = faults(table);
    return all.size() == 1 ? all.front().substr(all.front().find(": ") + 2) : std::to_string(all.size()) + " faults";
  };
  const auto did = [](const char* key) { return std::string("unknown key; did you mean \"") + key + "\"?"; };
  for (const auto& [theirs, ours] : std::vector<std::pair<const char*, const char*>>{
           {"saddr", "src"},           {"daddr", "dst"},           {"src_ip", "src"},        {"dest_ip", "dst"},
           {"SrcIP", "src"},           {"iifname", "in"},          {"oif", "out"},           {"oob.in", "in"},
           {"oob.prefix", "prefix"},   {"dest_port", "dport"},     {"ip.protocol", "proto"}, {"tcp.dport", "dport"},
           {"tcp.flags", "tcp_flags"}, {"icmp.type", "icmp_type"}, {"mac.saddr.str", "mac"}, {"raw.pktlen", "length"},
           {"fwmark", "mark"},         {"skuid", "uid"},           {"protocol", "proto"},    {"net", "host"}}) {
    EXPECT_EQ(meant({{theirs, "x"}}), did(ours)) << theirs;
  }
  EXPECT_EQ(meant({{"!saddr", "10.0.0.1"}}), did("!src"));
  EXPECT_EQ(meant({{"ip", {{"daddr", "10.0.0.1"}}}}), did("dst"));  // ip.daddr = "10.0.0.1" in TOML
}

std::vector<std::string> doubts(const json& tables, const KnownFields& known = {}) {
  std::vector<std::string> texts;
  for (const MatchFault& doubt : compile_match(tables, known).doubts) texts.push_back(to_string(doubt));
  return texts;
}

TEST(MatchDoubts, AreAboutBitsBehindAPrefix) {
  EXPECT_THAT(doubts({{"src", "10.0.0.1/8"}}), ElementsAre(AllOf(StartsWith("src: "), HasSubstr("\"10.0.0.0/8\""))));
  EXPECT_THAT(doubts({{"!dst", {"10.0.0.0/8", "2001:db8::1/32", "fe80:0:0:1::/64", "fe80::ffff/65"}}}),
              ElementsAre(AllOf(StartsWith("!dst[1]: "), HasSubstr("\"2001:db8::/32\"")),
                          AllOf(StartsWith("!dst[3]: "), HasSubstr("\"fe80::/65\""))));
  EXPECT_THAT(doubts({{"host", {"0.0.0.0/0", "::/0", "1.2.3.4", "1.2.3.4/32", "::1/128", "10.0.0.1-10.0.0.9"}}}),
              IsEmpty());
}

TEST(MatchDoubts, AreAboutNamesThatNoInterfaceHas) {
  EXPECT_THAT(doubts({{"in", "eth0,eth1"}}), ElementsAre(HasSubstr("; write [\"eth0\", \"eth1\"]")));
  EXPECT_THAT(doubts({{"out", "!lo"}}), ElementsAre(HasSubstr("; write \"!out\" = \"lo\"")));
  EXPECT_THAT(doubts({{"physin", "eth+"}}), ElementsAre(HasSubstr("; write \"eth*\"")));
  EXPECT_THAT(doubts({{"in", "a-name-of-17-byte"}}), ElementsAre(HasSubstr("15 bytes at most")));
  EXPECT_THAT(doubts({{"in", json::array({"eth0 ", ""})}}), testing::SizeIs(2));
  EXPECT_THAT(doubts({{"in", {"eth0", "wlan*", "br-0123456789ab", "eth0.100", "*"}}}), IsEmpty());
}

TEST(MatchDoubts, AreAboutTopicsAndPrefixesThatNoPacketHas) {
  const KnownFields known{.names = {}, .any = false, .topic_root = "nft:"};
  EXPECT_THAT(doubts({{"topic", "Drop:*"}}, known), ElementsAre(HasSubstr("write \"nft:Drop:*\"")));
  EXPECT_THAT(doubts({{"prefix", "nft:drop:*"}}, known), ElementsAre(HasSubstr("write \"drop:*\"")));
  EXPECT_THAT(doubts({{"topic", {"nft:drop:*", "web:*", "*drop:*", "NFT:*"}}, {"prefix", "drop:*"}}, known), IsEmpty());
  EXPECT_THAT(doubts({{"topic", "drop:*"}}), IsEmpty()) << "the root is not known";
}

TEST(MatchDoubts, AreAboutNamesOfOthersWhereAnyNameMayBeAField) {
  EXPECT_THAT(doubts({{"saddr", "10.0.0.1"}}, {.names = {}, .any = true}),
              ElementsAre(HasSubstr("did you mean \"src\"?")));
  EXPECT_THAT(doubts({{"saddr", "10.0.0.1"}}, {.names = {"saddr"}, .any = true}), IsEmpty());
  EXPECT_THAT(doubts({{"country", "DE"}}, {.names = {}, .any = true}), IsEmpty());
}

TEST(MatchFaults, SayWhatIsWrongWithNumbers) {
  EXPECT_EQ(fault_of("port", "2000-1000"), "the range is reversed; write \"1000-2000\"");
  EXPECT_EQ(fault_of("port", 65536), "is out of range; it must be 0 to 65535");
  EXPECT_EQ(fault_of("port", -1), "is out of range; it must be 0 to 65535");
  EXPECT_EQ(fault_of("port", "1-70000"), "is out of range; it must be 0 to 65535");
  for (const char* text : {"", "http", "1-", "-1", "1-2-3", "1 - 2", "0x", "99999999999999999999", "1.5"}) {
    EXPECT_THAT(fault_of("port", text), StartsWith("is neither a number nor a range such as \"10-20\"")) << text;
  }
  EXPECT_EQ(fault_of("proto", 256), "is out of range; it must be 0 to 255");
  EXPECT_EQ(fault_of("proto", "tpc"), "is no protocol's name or number; did you mean \"tcp\"?");
  EXPECT_EQ(fault_of("proto", "arp"), "ARP is no protocol on IP; write family = \"arp\"");
  EXPECT_EQ(fault_of("mark", "0x1f/0x10"), "has bits outside of its mask, so that no mark can match");
  EXPECT_EQ(fault_of("mark", "0x100000000"), "is out of range; it must be 0 to 4294967295");
  EXPECT_EQ(fault_of("mark", "x/1"), "is neither a number nor a number and its mask such as \"0x10/0xf0\"");
}

TEST(MatchFaults, SayWhatIsWrongWithAddresses) {
  EXPECT_EQ(fault_of("src", "10.0.0.256"), "is no IPv4 or IPv6 address");
  EXPECT_EQ(fault_of("src", "fe80::1%eth0"), "is no IPv4 or IPv6 address");
  EXPECT_EQ(fault_of("src", "10.0.0/8"), "\"10.0.0\" is no IPv4 or IPv6 address");
  EXPECT_EQ(fault_of("src", "10.0.0.0/x"), "the prefix length must be a number, 0 to 32");
  EXPECT_EQ(fault_of("src", "10.0.0.0/"), "the prefix length must be a number, 0 to 32");
  EXPECT_EQ(fault_of("src", "10.0.0.9-10.0.0.1"), "the range is reversed; write \"10.0.0.1-10.0.0.9\"");
  EXPECT_EQ(fault_of("src", "2001:db8::9-2001:db8::1"), "the range is reversed; write \"2001:db8::1-2001:db8::9\"");
  EXPECT_EQ(fault_of("src", "10.0.0.1-::1"), "the range goes from one version of IP to the other");
  EXPECT_EQ(fault_of("src", "10.0.0.1-x"), "\"x\" is no IPv4 or IPv6 address");
  EXPECT_EQ(fault_of("src", std::string("10.0.0.1\0x", 10)), "is no IPv4 or IPv6 address");
  for (const char* text : {"02:00:00:00:00", "02:00:00:00:00:0g", "02-00:00:00:00:00", "020000000001", ""}) {
    EXPECT_EQ(fault_of("mac", text), "is no hardware address such as \"02:00:00:00:00:01\"") << text;
  }
}

TEST(MatchFaults, SayWhatIsWrongWithNames) {
  EXPECT_EQ(fault_of("action", "block"), "must be \"allowed\" or \"blocked\"; did you mean \"blocked\"?");
  EXPECT_EQ(fault_of("family", "ipx"), "is no family (ip, ip6, inet, arp, bridge, netdev); did you mean \"ip\"?");
  EXPECT_EQ(fault_of("tcp_flags", "syn,akc"), "\"akc\" is no TCP flag; did you mean \"ack\"?");
  EXPECT_EQ(fault_of("tcp_flags", "syn,!syn"), "names \"syn\" twice");
  EXPECT_EQ(fault_of("tcp_flags", "syn,"), "\"\" is no TCP flag");
  EXPECT_EQ(fault_of("icmp_type", "echo-requets"),
            "is no ICMP or ICMPv6 type's name or number; did you mean \"echo-request\"?");
  EXPECT_EQ(fault_of("domain", "."), "is no domain name");
}

TEST(MatchFaults, HaveLibpcapsTextForBpf) {
  EXPECT_THAT(fault_of("bpf", "tcp prot 80"), HasSubstr("\"prot\" is no keyword"));
  EXPECT_THAT(faults({{"bpf", "port 80 80"}}), ElementsAre(HasSubstr("libpcap: ")));
  EXPECT_THAT(faults({{"bpf", "ether host 02:00:00:00:00:01"}}), ElementsAre(HasSubstr("libpcap: ")));
  EXPECT_EQ(fault_of("bpf", " "), "has nothing to match in it");
  EXPECT_THAT(fault_of("bpf", std::string(5000, ' ')), HasSubstr("is longer than 4096 bytes"));
}

TEST(MatchFaults, RefuseToLookUpNamesForBpf) {
  for (const char* expression :
       {"host www.example.com", "example", "src net office", "port 80 and host ssh", "gateway 192.0.2.1", "host 1-2",
        "host 10.", "host dead:beef", "host \\tcp", "host 1.2.3.4.5", "dst 1.de"}) {
    EXPECT_THAT(faults({{"bpf", expression}}), ElementsAre(HasSubstr("names of hosts are not looked up")))
        << expression;
  }
  for (const char* expression :
       {"host 192.0.2.1 or fe80::1", "net 10", "net 10.0.0.0 mask 255.0.0.0", "portrange 20-25 or 1000-2000",
        "port ssh or https", "ip proto \\udp", "tcp[13:1] & 0x02 != 0", "icmp[icmptype] == icmp-echo",
        "icmp6[icmp6type] == icmp6-echo", "ip[2:2] > 0x100", "ip6 protochain 6", "dst net 2001:db8::/32"}) {
    EXPECT_THAT(faults({{"bpf", expression}}), IsEmpty()) << expression;
  }
}

TEST(MatchJson, TakesATableOrAnArrayOfThem) {
  const auto table = compile_match_json(R"({"dport":[53,"1000-2000"],"!proto":"tcp"})", no_fields());
  ASSERT_TRUE(table.ok());
  EXPECT_TRUE((*table)(Facts(dns_query().event)));
  const auto tables = compile_match_json(R"([{"dport":1},{"dport":53}])", no_fields());
  ASSERT_TRUE(tables.ok());
  EXPECT_EQ(tables->first(Facts(dns_query().event)), 2U);
}

TEST(MatchJson, NamesTheFirstFault) {
  const auto wrong = compile_match_json(R"([{"dst":"10.0.0.0/33"}])", no_fields());
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().text, R"([0].dst: "10.0.0.0/33": the prefix length is at most 32)");
  EXPECT_EQ(wrong.error().code, Code::invalid);
  EXPECT_THAT(compile_match_json("dst=1", no_fields()).error().text, HasSubstr("this is no JSON"));
  EXPECT_THAT(compile_match_json("", no_fields()).error().text, HasSubstr("this is no JSON"));
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_THAT(compile_match_json(deep, no_fields()).error().text, HasSubstr("nested too deep"));
}

// `term(0) or term(1) or ...`.
template <typename Term>
std::string chain(int terms, const Term& term) {
  std::string expression = term(0);
  for (int i = 1; i < terms; ++i) expression += " or " + term(i);
  return expression;
}

std::string port_range(int i) { return "portrange " + std::to_string(7 * i + 1) + "-" + std::to_string(7 * i + 3); }

TEST(TcpdumpExpressions, ThatWouldTakeLongToCompileAreRefusedWithTheirSize) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THAT(fault_of("bpf", chain(180, port_range)), HasSubstr("has 360 words, and may have 320"));
  const json tables = json::array({{{"bpf", {"tcp", chain(20, port_range)}}}, {{"!bpf", chain(20, port_range)}}});
  const CompiledMatch of_client = compile_match(tables, {}, kClientMatch);
  ASSERT_EQ(of_client.faults.size(), 1U) << "of both tables together";
  EXPECT_THAT(of_client.faults[0].text, HasSubstr("has 40 words, and may have 23"));
  EXPECT_THAT(compile_match(tables, {}).faults, IsEmpty()) << "in a configuration";
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST(TcpdumpExpressions, TooLongToBeOptimizedMeanTheSame) {
  const MatchSet ports = compiled({{"bpf", chain(160, port_range)}});
  const auto holds_for = [&](int port) {
    return ports(
        Facts(MadeEvent(ipv4("192.0.2.1", "198.51.100.53", 17, udp(40000, static_cast<std::uint16_t>(port)))).event));
  };
  for (const int port : {1, 3, 7 * 100 + 2, 7 * 159 + 3}) EXPECT_TRUE(holds_for(port)) << port;
  for (const int port : {4, 7 * 100 + 5, 7 * 160 + 1}) EXPECT_FALSE(holds_for(port)) << port;
}

TEST(Matches, SayWhatTestingAnEventCosts) {
  const MadeEvent made = dns_query();
  const Facts facts(made.event);
  const std::uint64_t port = compiled({{"dport", 53}}).cost_ns(facts);
  EXPECT_GT(compiled({{"bpf", chain(160, port_range)}}).cost_ns(facts), 10 * port);
  EXPECT_LT(compiled({{"proto", "tcp"}, {"bpf", chain(160, port_range)}}).cost_ns(facts), port) << "seen at a glance";

  nfbus_event message{};
  message.struct_size = sizeof message;
  message.kind = NFBUS_EVENT_MESSAGE;
  const MatchSet pattern = compiled({{"topic", "*" + std::string(1000, 'a') + "*b"}});
  const std::string topic(200'000, 'a');
  message.topic = {topic.data(), topic.size()};
  EXPECT_GT(pattern.cost_ns(Facts(message)), 50'000'000U);
}

}  // namespace
}  // namespace nfbus::host::test
