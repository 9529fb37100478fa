// The text form: what it means, and the columns of its faults.
#include "match/match.hpp"
//
#include "made_event.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace nfbus::host::test {
namespace {

using testing::HasSubstr;

bool text_holds(std::string_view text, const MadeEvent& made, const KnownFields& known = no_fields()) {
  const auto match = compile_match_text(text, known);
  if (!match) {
    ADD_FAILURE() << text << ": " << match.error().text;
    return false;
  }
  return (*match)(Facts(made.event));
}

std::string text_fault(std::string_view text) {
  const auto match = compile_match_text(text, no_fields());
  return match ? "no fault" : match.error().text;
}

MadeEvent syn() { return MadeEvent(ipv4("10.0.0.1", "198.51.100.7", 6, tcp(40000, 443, 2))); }

TEST(MatchText, IsConditionsBetweenBlanks) {
  EXPECT_TRUE(text_holds("dst=198.51.100.0/24 port=443 !proto=udp", syn()));
  EXPECT_TRUE(text_holds("  proto=tcp\t dport=443\n", syn()));
  EXPECT_FALSE(text_holds("dst=198.51.100.0/24 port=443 !proto=tcp", syn()));
}

TEST(MatchText, HasListsWithCommas) {
  EXPECT_TRUE(text_holds("port=53,400-500,9", syn()));
  EXPECT_FALSE(text_holds("port=53,500-600", syn()));
  EXPECT_FALSE(text_holds("!port=53,443", syn()));
}

TEST(MatchText, WantsAllOfTheTcpFlagsOfAList) {
  EXPECT_TRUE(text_holds("tcp_flags=syn,!ack", syn()));
  EXPECT_FALSE(text_holds("tcp_flags=syn,ack", syn()));
  EXPECT_TRUE(text_holds("!tcp_flags=syn,ack", syn()));
}

TEST(MatchText, TakesBlanksAndCommasInQuotesOrBehindABackslash) {
  EXPECT_TRUE(text_holds("prefix=\"drop:input \" bpf=\"tcp port 443\"", syn()));
  EXPECT_TRUE(text_holds("prefix='drop:input ' bpf='tcp port 443'", syn()));
  EXPECT_TRUE(text_holds("prefix=drop:input\\ ", syn()));
  MadeEvent event = syn();
  event.annotate("rule", R"(a "b", c\d)");
  EXPECT_TRUE(text_holds(R"(rule="a \"b\", c\\d")", event));
  EXPECT_TRUE(text_holds(R"(rule='a "b", c\d')", event));
  EXPECT_TRUE(text_holds(R"(rule=a\ \"b\"\,' c\d')", event));
  MadeEvent bare = syn();
  bare.event.prefix = {};
  EXPECT_TRUE(text_holds(R"(prefix="")", bare));
}

TEST(MatchText, NamesTheColumnOfAFault) {
  EXPECT_EQ(text_fault("proto=tcp port=80,70000"),
            "column 19: port: \"70000\": is out of range; it must be 0 to 65535");
  EXPECT_EQ(text_fault("dst=10.0.0.0/33"), "column 5: dst: \"10.0.0.0/33\": the prefix length is at most 32");
  EXPECT_EQ(text_fault("proto=tcp dts=10.0.0.1"), "column 11: dts: unknown key; did you mean \"dst\"?");
  EXPECT_EQ(text_fault("!proto=tcp !dts=10.0.0.1"), "column 12: !dts: unknown key; did you mean \"!dst\"?");
  EXPECT_EQ(text_fault("tcp_flags=syn,akc"),
            "column 11: tcp_flags: \"syn,akc\": \"akc\" is no TCP flag; did you mean \"ack\"?");
  EXPECT_THAT(text_fault("proto=tcp bpf=\"port 80 80\""), HasSubstr("column 15: bpf: \"port 80 80\": libpcap: "));
}

TEST(MatchText, NamesTheFirstOfSeveralFaults) {
  EXPECT_EQ(text_fault("src=x dst=y"), "column 5: src: \"x\": is no IPv4 or IPv6 address");
}

TEST(MatchText, ThatIsNoTextFormIsRefused) {
  EXPECT_EQ(text_fault(""), "column 1: there is no condition; write KEY=VALUE, such as dst=10.0.0.0/8");
  EXPECT_EQ(text_fault("  "), "column 1: there is no condition; write KEY=VALUE, such as dst=10.0.0.0/8");
  EXPECT_THAT(text_fault("proto=tcp port"), HasSubstr("column 11: \"port\": expected KEY=VALUE"));
  EXPECT_THAT(text_fault("dst = 10.0.0.1"), HasSubstr("column 1: \"dst\": expected KEY=VALUE"));
  EXPECT_THAT(text_fault("=x"), HasSubstr("column 1: \"\": expected KEY=VALUE"));
  EXPECT_THAT(text_fault("!=x"), HasSubstr("column 1: \"!\": expected KEY=VALUE"));
  EXPECT_EQ(text_fault("proto!=tcp"), "column 1: \"proto\": a negated condition is written !proto=VALUE");
  EXPECT_EQ(text_fault("port=1 port=2"), "column 8: \"port\" stands here twice; write a list: port=A,B");
  EXPECT_EQ(text_fault("port="), "column 6: expected a value; an empty one is written \"\"");
  EXPECT_EQ(text_fault("port=1,"), "column 8: expected a value; an empty one is written \"\"");
  EXPECT_EQ(text_fault("bpf=\"tcp"), "column 5: the \" that opens here is not closed");
  EXPECT_EQ(text_fault("prefix=a\\"), "column 9: a backslash at the end; it takes the next character as it is");
  EXPECT_THAT(text_fault(std::string(70000, 'x')), HasSubstr("at most 65536 bytes"));
}

TEST(MatchText, MayHaveAKeyPlainAndNegated) { EXPECT_TRUE(text_holds("port=1-500 !port=80", syn())); }

TEST(MatchTable, IsTheOneThatWordsStandFor) {
  const auto table = match_table_of_text("dst=10.0.0.0/8 !proto=udp,tcp prefix=\"K\xc3\xbc: \"", no_fields());
  ASSERT_TRUE(table.ok()) << table.error().text;
  EXPECT_EQ(table->dump(), "{\"!proto\":[\"udp\",\"tcp\"],\"dst\":[\"10.0.0.0/8\"],\"prefix\":[\"K\xc3\xbc: \"]}");
}

TEST(MatchTable, HasNoFormForWhatIsNoText) {
  for (const auto& [text, fault] : {std::pair("prefix=\xff", "column 8: this is no UTF-8"),
                                    std::pair("prefix=\xc3\xbc\xc3", "column 10: this is no UTF-8"),
                                    std::pair("\xff=1", "column 1: this is no UTF-8"),
                                    std::pair("!prefix=a,\"\xed\xa0\x80\"", "column 12: this is no UTF-8")}) {
    const auto table = match_table_of_text(text, no_fields());
    EXPECT_EQ(table ? "no fault" : table.error().text, fault);
  }
}

}  // namespace
}  // namespace nfbus::host::test
