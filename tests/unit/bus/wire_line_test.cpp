#include "bus/server/wire_line.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfbus::host {
namespace {

using Kind = WireLine::Kind;

Kind kind_of(std::string_view line) { return WireScanner().scan(line).kind; }

std::string decoded(std::string_view inside) {
  std::string out;
  decode_string(inside, out);
  return out;
}

TEST(WireScanner, FindsTopicAndValue) {
  WireScanner scanner;
  const WireLine line = scanner.scan(R"({"topic":"web:a","value":"{\"x\":1}"})");
  EXPECT_EQ(line.kind, Kind::publish);
  EXPECT_EQ(line.topic, "web:a");
  EXPECT_EQ(line.value, R"({\"x\":1})");
  EXPECT_FALSE(line.extended);
}

TEST(WireScanner, TakesKeysInAnyCaseAndTheLastOfSeveral) {
  WireScanner scanner;
  EXPECT_EQ(scanner.scan(R"({"topic":"a","TOPIC":"b","ToPiC":"c"})").topic, "c");
  EXPECT_EQ(scanner.scan(R"({"VALUE":"1","value":"2"})").value, "2");
  EXPECT_EQ(scanner.scan(R"({"t\u006fpic":"escaped"})").topic, "escaped");
}

TEST(WireScanner, TakesOnlyItsOwnKeysForTheTopic) {
  WireScanner scanner;
  EXPECT_EQ(scanner.scan(R"({"x":{"topic":"inner"},"topics":"more","topi\u0001":"x"})").topic, "");
  // Neighbours of the letters, a bit away.
  EXPECT_EQ(scanner.scan("{\"4opic\":\"x\",\"tOpi\x03\":\"x\"}").kind, Kind::broken);
  EXPECT_EQ(scanner.scan(R"({"4opic":"x"})").topic, "");
}

TEST(WireScanner, DecodesTheTopicBeforeItIsUsed) {
  WireScanner scanner;
  EXPECT_EQ(scanner.scan(R"({"topic":"subs\u0063ribe:nft:\u00e9"})").kind, Kind::subscribe);
  EXPECT_EQ(scanner.scan(R"({"topic":"subs\u0063ribe:nft:\u00e9"})").topic, "nft:\xc3\xa9");
  EXPECT_EQ(scanner.scan(R"({"topic":"subscribe:"})").topic, "");
  EXPECT_EQ(scanner.scan(R"({"topic":"subscribe"})").kind, Kind::publish);
}

TEST(WireScanner, LeavesTheTopicAloneWhereItFindsNull) {
  WireScanner scanner;
  EXPECT_EQ(scanner.scan(R"({"topic":"a","topic":null})").topic, "a");
  EXPECT_EQ(scanner.scan(R"({"topic":null})").kind, Kind::publish);
}

TEST(WireScanner, RefusesValuesThatAreNoText) {
  for (const char* value : {"1", "-0.5e+7", "true", "false", "null", "{}", "[]", R"({"a":["b"]})"}) {
    EXPECT_EQ(kind_of(R"({"topic":"a","value":)" + std::string(value) + "}"), Kind::wrong_value) << value;
  }
  EXPECT_EQ(kind_of(R"({"value":1,"value":"text"})"), Kind::wrong_value);
}

TEST(WireScanner, KnowsBrokenLines) {
  for (const char* line : {"",
                           " ",
                           "{",
                           "}",
                           "[]",
                           "1",
                           "null",
                           R"("{}")",
                           "{}x",
                           "{} {}",
                           "{,}",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a":1,})",
                           R"({"a":1 "b":2})",
                           R"({a:1})",
                           R"({"a":01})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":1e})",
                           R"({"a":+1})",
                           R"({"a":--1})",
                           R"({"a":nul})",
                           R"({"a":True})",
                           R"({"a":[1,]})",
                           R"({"a":[})",
                           R"({"a":{]})",
                           R"({"a":[1 2]})",
                           R"({"a":{"b"}})",
                           R"({"a":{"b":1,}})",
                           R"({"a":"\q"})",
                           R"({"a":"\u12g4"})",
                           R"({"a":"\u1)",
                           R"({"a":"\)",
                           "{\"a\":\"\t\"}",
                           R"({"topic":5})",
                           R"({"topic":{}})",
                           R"({"topic":true})",
                           "\xef\xbb\xbf{}"}) {
    EXPECT_EQ(kind_of(line), Kind::broken) << line;
  }
  EXPECT_EQ(kind_of(std::string_view("{}\0", 3)), Kind::broken);
}

TEST(WireScanner, TakesEveryFormOfJson) {
  for (const char* line :
       {"{}", " \t\r\n{ } ", R"({"a":[],"b":{},"c":[[],{}],"d":[1,-2,3.5,1e9,2E-1,0,-0,0.0]})",
        R"({"a":[true,false,null,"x"],"b":{"c":{"d":[{}]}}})", R"({"a" : [ 1 , { "b" : 2 } , [ ] ] , "c" : { } })",
        R"({"a":"\"\\\/\b\f\n\r\t\u00fF"})", "{\"a\":\"\xff\xc3\"}"}) {
    EXPECT_EQ(kind_of(line), Kind::publish) << line;
  }
}

TEST(WireScanner, SaysWhetherThereAreOtherKeys) {
  EXPECT_TRUE(WireScanner().scan(R"({"topic":"subscribe:","format":"nflog"})").extended);
  EXPECT_FALSE(WireScanner().scan(R"({"topic":"subscribe:","value":""})").extended);
}

TEST(WireScanner, FollowsBracketsAsDeepAsGoDoes) {
  const auto nested = [](std::size_t depth) {
    return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(kind_of(nested(9999)), Kind::publish);
  EXPECT_EQ(kind_of(nested(10000)), Kind::broken);
}

TEST(DecodeString, MakesTextOfEscapes) {
  EXPECT_EQ(decoded(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(decoded(R"(\u0041\u00e9\u20ac\ud83d\ude00)"), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(DecodeString, ReplacesWhatStandsForNoCharacter) {
  EXPECT_EQ(decoded(R"(\ud800x)"), "\xef\xbf\xbdx");
  EXPECT_EQ(decoded(R"(\ud800\u0041)"),
            "\xef\xbf\xbd"
            "A");
  EXPECT_EQ(decoded(R"(\udc00)"), "\xef\xbf\xbd");
  EXPECT_EQ(decoded("a\xff\xc3z"), "a\xef\xbf\xbd\xef\xbf\xbdz");
}

}  // namespace
}  // namespace nfbus::host
