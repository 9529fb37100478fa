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
  EXPECT_EQ(line.format.size() + line.match.size() + line.marker.size(), 0U);
  EXPECT_FALSE(line.wants_answer);
}

TEST(WireScanner, TakesKeysInAnyCaseAndWithEscapes) {
  WireScanner scanner;
  EXPECT_EQ(scanner.scan(R"({"ToPiC":"c","VALUE":"1"})").topic, "c");
  EXPECT_EQ(scanner.scan(R"({"ToPiC":"c","VALUE":"1"})").value, "1");
  EXPECT_EQ(scanner.scan(R"({"t\u006fpic":"escaped"})").topic, "escaped");
  EXPECT_EQ(scanner.scan(R"({"\u0074\u006f\u0070\u0069\u0063":"escaped"})").topic, "escaped");
}

TEST(WireScanner, SaysWhenAKeyStandsThereMoreThanOnceHoweverItIsWritten) {
  for (const char* line : {R"({"topic":"nft:x","TOPIC":"web:y","value":"v"})", R"({"TOPIC":"nft:x","topic":"web:y"})",
                           R"({"topic":"nft:x","topic":"web:y"})", R"({"topic":"nft:x","top\u0069c":"web:y"})",
                           R"({"\u0054\u004f\u0050\u0049\u0043":"nft:x","topic":"web:y"})",
                           R"({"topic":"nft:x","topic":null})", R"({"topic":null,"topic":"nft:x"})",
                           R"({"topic":5,"Topic":"web:y"})", R"({"topic":"web:y","a":1,"tOpic":"web:y"})"}) {
    EXPECT_EQ(kind_of(line), Kind::ambiguous) << line;
    EXPECT_EQ(WireScanner().scan(line).repeated, "topic") << line;
  }
  EXPECT_EQ(WireScanner().scan(R"({"value":"1","Value":"2"})").repeated, "value");
  EXPECT_EQ(WireScanner().scan(R"({"value":1,"value":"text"})").repeated, "value");
  EXPECT_EQ(WireScanner().scan(R"({"topic":"subscribe:","format":"nflog","FORMAT":"ulogd"})").repeated, "format");
  EXPECT_EQ(WireScanner().scan(R"({"topic":"subscribe:","match":{},"mat\u0063h":{}})").repeated, "match");
}

TEST(WireScanner, FoldsTheTwoLettersBeyondAsciiThatGoFolds) {
  EXPECT_EQ(WireScanner().scan("{\"an\xc5\xbfwer\":true,\"answer\":true}").repeated, "answer");
  EXPECT_EQ(WireScanner().scan(R"({"an\u017fwer":true,"answer":true})").repeated, "answer");
  EXPECT_EQ(WireScanner()
                .scan("{\"mar\xe2\x84\xaa"
                      "er\":true,\"marker\":true}")
                .repeated,
            "marker");
  EXPECT_EQ(WireScanner().scan(R"({"mar\u212aer":true})").marker, "true");
  // U+0130 and U+0131 are no i to Go.
  EXPECT_EQ(kind_of(R"({"topic":"web:y","top\u0131c":"nft:x","top\u0130c":"nft:x"})"), Kind::publish);
}

TEST(WireScanner, LetsOtherKeysAndThoseInsideOfOthersRepeat) {
  EXPECT_EQ(kind_of(R"({"topic":"a","x":{"topic":"b","topic":"c"},"y":[{"topic":"d"}],"x":1})"), Kind::publish);
}

TEST(WireScanner, KeepsTheValuesOfOurOwnKeysAsTheyStand) {
  const WireLine line =
      WireScanner().scan(R"({"topic":"subscribe:","format": "nflog" ,"match":{"a":[1, 2]},"marker" :false})");
  EXPECT_EQ(line.kind, Kind::subscribe);
  EXPECT_EQ(line.format, R"("nflog")");
  EXPECT_EQ(line.match, R"({"a":[1, 2]})");
  EXPECT_EQ(line.marker, "false");
}

TEST(WireScanner, SeesWhoWantsAnAnswerInEveryLineThatIsJson) {
  for (const char* line : {R"({"topic":"a","value":"x","answer":true})", R"({"answer":true,"topic":5})",
                           R"({"answer":true,"topic":"a","topic":"b"})", R"({"topic":"a","value":1,"ANSWER":true})",
                           R"({"answer":true})", R"({"answer":true,"answer":false})"}) {
    EXPECT_TRUE(WireScanner().scan(line).wants_answer) << line;
  }
  for (const char* line : {R"({"topic":"a","answer":false})", R"({"answer":"true"})", R"({"answer":1})",
                           R"({"x":{"answer":true}})", R"({"answer":true)"}) {
    EXPECT_FALSE(WireScanner().scan(line).wants_answer) << line;
  }
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
  EXPECT_EQ(scanner.scan(R"({"topic":null})").kind, Kind::publish);
  EXPECT_EQ(scanner.scan(R"({"topic":null})").topic, "");
}

TEST(WireScanner, RefusesValuesThatAreNoText) {
  for (const char* value : {"1", "-0.5e+7", "true", "false", "null", "{}", "[]", R"({"a":["b"]})"}) {
    EXPECT_EQ(kind_of(R"({"topic":"a","value":)" + std::string(value) + "}"), Kind::wrong_value) << value;
  }
}

TEST(WireScanner, RefusesTopicsThatAreNoText) {
  for (const char* topic : {"5", "{}", "true", "[null]", R"([["a"]])"}) {
    EXPECT_EQ(kind_of(R"({"topic":)" + std::string(topic) + R"(,"value":1})"), Kind::wrong_topic) << topic;
  }
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
