#include "json_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::string in_quotes(std::string_view bytes) {
  std::string out;
  append_quoted(out, bytes);
  return out;
}

std::string read(std::string_view bytes) { return json::parse(in_quotes(bytes)).get<std::string>(); }

std::string replaced(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += kReplacement;
  return out;
}

std::string ms(std::int64_t time_ns) {
  std::string out;
  append_ms(out, time_ns);
  return out;
}

std::string utf8(unsigned code) {
  std::string out;
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) {
    out += static_cast<char>(0xc0U | code >> 6U);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0U | code >> 12U);
    out += static_cast<char>(0x80U | (code >> 6U & 0x3fU));
  } else {
    out += static_cast<char>(0xf0U | code >> 18U);
    out += static_cast<char>(0x80U | (code >> 12U & 0x3fU));
    out += static_cast<char>(0x80U | (code >> 6U & 0x3fU));
  }
  out += static_cast<char>(0x80U | (code & 0x3fU));
  return out;
}

TEST(Quoted, TextStaysAsItIs) {
  EXPECT_EQ(in_quotes(""), R"("")");
  EXPECT_EQ(in_quotes("nft:drop:in"), R"("nft:drop:in")");
  EXPECT_EQ(in_quotes(R"(a"b\c/d)"), R"("a\"b\\c/d")");
  EXPECT_EQ(in_quotes("K\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), "\"K\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

TEST(Quoted, EveryCharacterComesBack) {
  for (unsigned code = 0; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const std::string text = utf8(code);
    ASSERT_EQ(read(text), text) << std::hex << code;
  }
}

TEST(Quoted, WhatIsNoUtf8IsReplacedByteByByte) {
  struct Case {
    const char* what;
    std::string_view bytes;
  };
  for (const Case& one : {Case{"a continuation alone", "\x80"},
                          {"the last continuation alone", "\xbf"},
                          {"overlong of two", "\xc0\xaf"},
                          {"overlong of two, the largest", "\xc1\xbf"},
                          {"overlong of three", "\xe0\x80\xaf"},
                          {"overlong of three, the largest", "\xe0\x9f\xbf"},
                          {"overlong of four", "\xf0\x80\x80\xaf"},
                          {"overlong of four, the largest", "\xf0\x8f\xbf\xbf"},
                          {"first surrogate", "\xed\xa0\x80"},
                          {"last surrogate", "\xed\xbf\xbf"},
                          {"pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80"},
                          {"beyond U+10FFFF", "\xf4\x90\x80\x80"},
                          {"lead of five", "\xf5\x80\x80\x80"},
                          {"form of five bytes", "\xf8\x88\x80\x80\x80"},
                          {"form of six bytes", "\xfc\x84\x80\x80\x80\x80"},
                          {"no lead at all", "\xfe\xff"},
                          {"truncated, of two", "\xc3"},
                          {"truncated, of three", "\xe2\x82"},
                          {"truncated, of four", "\xf0\x9f\x98"}}) {
    EXPECT_EQ(read(one.bytes), replaced(one.bytes.size())) << one.what;
    EXPECT_EQ(read(std::string(one.bytes) + "x"), replaced(one.bytes.size()) + "x") << one.what;
    EXPECT_EQ(read("\xc3\xbc" + std::string(one.bytes) + "\xc3\xbc"),
              "\xc3\xbc" + replaced(one.bytes.size()) + "\xc3\xbc")
        << one.what;
  }
}

TEST(Quoted, NothingSteersATerminalOrTurnsTextAround) {
  for (const unsigned code :
       {0U,      7U,      8U,      0xaU,    0xdU,    0x1bU,   0x7fU,   0x80U,   0x9bU,   0x9fU,   0xadU,   0x61cU,
        0x200bU, 0x200eU, 0x200fU, 0x2028U, 0x2029U, 0x202aU, 0x202eU, 0x2060U, 0x2066U, 0x2069U, 0xfeffU, 0xfff9U}) {
    const std::string text = "a" + utf8(code) + "b";
    const std::string shown = in_quotes(text);
    EXPECT_EQ(shown.find(utf8(code)), std::string::npos) << std::hex << code;
    EXPECT_EQ(shown.substr(0, 4), "\"a\\u") << std::hex << code;
    EXPECT_EQ(json::parse(shown).get<std::string>(), text) << std::hex << code;
  }
}

TEST(Quoted, AnyBytesAreJson) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    // Often near the borders of UTF-8.
    constexpr std::string_view kLikely = "\xc3\xe2\xf0\xf4\xed\xe0\x80\xbf\x9f\"\\\x1b\n";
    for (char& c : bytes) c = random() % 2 == 0 ? kLikely[random() % kLikely.size()] : static_cast<char>(random());
    const json value = json::parse(in_quotes(bytes), nullptr, false);
    ASSERT_TRUE(value.is_string()) << round;
    const std::string text = value.get<std::string>();
    ASSERT_EQ(read(text), text) << round;  // it is good by now
    for (const char c : in_quotes(bytes)) ASSERT_GE(static_cast<unsigned char>(c), 0x20) << round;
  }
}

TEST(JsonAsText, ComesBackAsTheSameJson) {
  for (const char* const text :
       {"", "{}", R"({"a":"b\"c\\d","e":[1,"\u0000\n"],"f":"\\"})", R"("\\")", "\"K\xc3\xbc\"", R"("<script>'")"}) {
    std::string out = "x";
    append_json_as_text(out, text);
    EXPECT_EQ(json::parse(out.substr(1)).get<std::string>(), text);
  }
}

TEST(Milliseconds, HaveThreeDecimalsOrNone) {
  EXPECT_EQ(ms(0), "0");
  EXPECT_EQ(ms(999), "0");
  EXPECT_EQ(ms(1'000), "0.001");
  EXPECT_EQ(ms(50'000), "0.050");
  EXPECT_EQ(ms(1'000'000), "1");
  EXPECT_EQ(ms(1'732'712'345'678'123'456), "1732712345678.123");
  EXPECT_EQ(ms(1'732'712'345'678'000'999), "1732712345678");
  EXPECT_EQ(ms(-2'000'000), "-2");
  for (const std::int64_t edge :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), std::int64_t{-1}}) {
    EXPECT_TRUE(json::parse(ms(edge)).is_number()) << edge;
  }
}

TEST(Number, IsWrittenWhole) {
  std::string out;
  append_number(out, std::numeric_limits<std::uint64_t>::max());
  out += ' ';
  append_number(out, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(out, "18446744073709551615 -9223372036854775808");
}

}  // namespace
}  // namespace websocket
