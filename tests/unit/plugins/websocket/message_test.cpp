#include "server/message.hpp"

#include <gtest/gtest.h>

#include <string>

namespace websocket {
namespace {

TEST(PercentDecoded, IsTheTextOrNothing) {
  EXPECT_EQ(percent_decoded("", false), "");
  EXPECT_EQ(percent_decoded("/a%20b%2Fc%2fd", false), "/a b/c/d");
  EXPECT_EQ(percent_decoded("a+b", false), "a+b");
  EXPECT_EQ(percent_decoded("a+b%2B", true), "a b+");
  EXPECT_EQ(percent_decoded("%00%ff%25", false), std::string("\0\xff%", 3));
  EXPECT_EQ(percent_decoded("%2525", false), "%25");  // once
  for (const char* const wrong :
       {"%", "a%", "%4", "a%4", "%zz", "%4z", "%z4", "%%41", "% 4", "%+4", "%-1", "%\xc3\xbc"}) {
    EXPECT_EQ(percent_decoded(wrong, false), std::nullopt) << wrong;
    EXPECT_EQ(percent_decoded(std::string("41%41") + wrong, true), std::nullopt) << wrong;
  }
}

TEST(Header, OfOneNameIsTrustedOnce) {
  Request request;
  request.headers = {{"host", "a"}, {"cookie", "x=1"}, {"cookie", "x=2"}, {"origin", ""}};
  EXPECT_EQ(request.header("host"), "a");
  EXPECT_EQ(request.header("cookie"), "");
  EXPECT_TRUE(request.has_header("cookie"));
  EXPECT_EQ(request.header("origin"), "");
  EXPECT_TRUE(request.has_header("origin"));
  EXPECT_EQ(request.header("accept"), "");
  EXPECT_FALSE(request.has_header("accept"));
}

TEST(Parameter, IsTheFirstOfItsName) {
  Request request;
  request.query = "match=src%3D10.0.0.0%2F8+port%3D53&limit=10&empty=&bare&match=x&&=y&a=b=c";
  EXPECT_EQ(request.parameter("match"), "src=10.0.0.0/8 port=53");
  EXPECT_EQ(request.parameter("limit"), "10");
  EXPECT_EQ(request.parameter("empty"), "");
  EXPECT_EQ(request.parameter("bare"), "");
  EXPECT_EQ(request.parameter("a"), "b=c");
  EXPECT_EQ(request.parameter("imit"), std::nullopt);
  EXPECT_EQ(request.parameter("Match"), std::nullopt);
  EXPECT_EQ(Request().parameter("match"), std::nullopt);
}

// Else a filter with a typing error would show everything.
TEST(Parameter, WithABrokenEscapeIsThereAsItCame) {
  Request request;
  request.query = "match=src%3D1%zz&x=1";
  EXPECT_EQ(request.parameter("match"), "src%3D1%zz");
  EXPECT_EQ(request.parameter("x"), "1");
}

TEST(EntityTag, NamesItsContent) {
  const std::string tag = entity_tag("[1]");
  EXPECT_TRUE(tag.size() > 2 && tag.front() == '"' && tag.back() == '"' && tag.find('"', 1) == tag.size() - 1) << tag;
  EXPECT_EQ(entity_tag("[1]"), tag);
  EXPECT_NE(entity_tag("[2]"), tag);
  EXPECT_NE(entity_tag(""), tag);
}

TEST(IfMatch, HoldsForTheTagsThatItNames) {
  const auto with = [](std::vector<std::pair<std::string, std::string>> headers) {
    return may_change({.headers = std::move(headers)}, "\"a1\"");
  };
  EXPECT_TRUE(with({}));
  for (const char* const held : {"*", "\"a1\"", "\"b\", \"a1\"", "\"a1\",\"b\"", "\"b\" , \t\"a1\""}) {
    EXPECT_TRUE(with({{"if-match", held}})) << held;
  }
  for (const char* const other : {"", "a1", "\"b\"", "W/\"a1\"", "\"a1", "\"a12\"", ","}) {
    EXPECT_FALSE(with({{"if-match", other}})) << other;
  }
  EXPECT_FALSE(with({{"if-match", "\"a1\""}, {"if-match", "\"a1\""}})) << "which of them is meant?";
}

TEST(Refusal, IsALineOfPlainText) {
  const Response wrong = refusal(404, "there is no such page");
  EXPECT_EQ(wrong.status, 404U);
  EXPECT_EQ(*wrong.body, "there is no such page\n");
  EXPECT_EQ(wrong.type, "text/plain; charset=utf-8");
  const Response right = json_response("{}");
  EXPECT_EQ(right.status, 200U);
  EXPECT_EQ(right.type, "application/json");
  EXPECT_EQ(*right.body, "{}");
}

}  // namespace
}  // namespace websocket
