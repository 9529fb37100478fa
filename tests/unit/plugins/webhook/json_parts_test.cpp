#include "json_parts.hpp"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using nlohmann::json;
using Path = std::vector<std::string>;

std::string part(std::string_view text, const Path& path = {}) { return std::string(webhook::find_part(text, path)); }

std::string text_of(std::string_view json_part) {
  std::string out;
  webhook::append_text(json_part, out);
  return out;
}

TEST(JsonParts, AreCopiedAsTheyStandThere) {
  const std::string text = R"( {"a": {"b" : [1, {"c": "x\"y"}, 12345678901234567890123.50e+7]}, "n": null, "e": {}} )";
  EXPECT_EQ(part(text, {"a", "b", "2"}), "12345678901234567890123.50e+7");
  EXPECT_EQ(part(text, {"a", "b", "1", "c"}), R"("x\"y")");
  EXPECT_EQ(part(text, {"a", "b", "1"}), R"({"c": "x\"y"})");
  EXPECT_EQ(part(text, {"n"}), "null");
  EXPECT_EQ(part(text, {"e"}), "{}");
  EXPECT_EQ(part("  true "), "true");
}

TEST(JsonParts, AreNotThereWhereNothingLeads) {
  const std::string text = R"({"a": {"b": [1]}, "s": "text"})";
  for (const Path& path : {Path{"x"}, Path{"a", "x"}, Path{"a", "b", "1"}, Path{"a", "b", "-1"}, Path{"a", "b", "00"},
                           Path{"s", "0"}, Path{"a", "b", "0", "x"}, Path{""}}) {
    EXPECT_EQ(part(text, path), "") << path.back();
  }
}

TEST(JsonParts, OfEqualKeysTheLastOneCounts) {
  EXPECT_EQ(part(R"({"a": 1, "a": 2})", {"a"}), "2");
  EXPECT_EQ(part(R"({"a": {"b": 1}, "a": {"c": 2}})", {"a", "b"}), "");
  EXPECT_EQ(part(R"({"\u0061b": 1})", {"ab"}), "1");
}

TEST(JsonParts, OfWhatIsNoJsonNothingIsFound) {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 R"({"a":)",
                                 R"({"a":1)",
                                 R"({"a":1}})",
                                 R"({"a":1,})",
                                 R"({"a":01})",
                                 R"({"a":1.})",
                                 R"({"a":+1})",
                                 R"({"a":1 "b":2})",
                                 R"({"a":"x})",
                                 R"({"a":"\x"})",
                                 R"({"a":"\u12"})",
                                 R"({a:1})",
                                 R"({"a":tru})",
                                 R"({"a":-})",
                                 "{\"a\":\"\n\"}",
                                 R"({"a":[1,]})",
                                 R"({"a":1]})",
                                 R"({"a":1e})",
                                 "{\"a\":1}\x01"}) {
    EXPECT_EQ(part(text, {"a"}), "") << text;
    EXPECT_FALSE(json::accept(text)) << text;
  }
  // However deep: nothing, and no end of the stack.
  EXPECT_EQ(part(std::string(1'000'000, '['), {"0"}), "");
}

// Two readers that were written apart say the same of texts that are nearly JSON.
TEST(JsonParts, AreJsonWhereAnotherReaderSaysSo) {
  constexpr std::array<std::string_view, 24> kTokens = {
      "{",     "}",    "[", "]",  ",",   ":",       "\"a\"", "\"b\"",       "1",  "-0.5", "1e-5", "true",
      "false", "null", " ", "\"", "\\n", "{\"a\":", "[1,",   "\"\\u00e4\"", "\n", "0",    "-",    "."};
  std::mt19937 random(4711);  // NOLINT(cert-msc51-cpp): the same texts each time
  std::size_t good = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string text;
    for (auto count = 1 + random() % 8; count != 0; --count) text += kTokens.at(random() % kTokens.size());
    const bool is_json = json::accept(text);
    good += is_json ? 1U : 0U;
    ASSERT_EQ(!part(text).empty(), is_json) << text;
    if (!is_json || !json::parse(text).is_object()) continue;
    const std::string found = part(text, {"a"});
    const json whole = json::parse(text);
    ASSERT_EQ(!found.empty(), whole.contains("a")) << text;
    if (found.empty()) continue;
    ASSERT_EQ(json::parse(found), whole["a"]) << text;
  }
  EXPECT_GT(good, 1000U);
}

TEST(JsonParts, BecomeTextWithoutEscapes) {
  EXPECT_EQ(text_of(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(text_of(R"("\u0041\u00e4\u20ac\ud83d\ude00")"), "A\u00e4\u20ac\U0001F600");
  EXPECT_EQ(text_of(R"("\ud83d\ud83d\ude00 \ude00 \ud83d")"), "\ufffd\U0001F600 \ufffd \ufffd");
  EXPECT_EQ(text_of("null"), "");
  EXPECT_EQ(text_of(""), "");
  EXPECT_EQ(text_of("1.50"), "1.50");
  EXPECT_EQ(text_of(R"({"a":"b"})"), R"({"a":"b"})");
}

TEST(JsonParts, AnyBytesBecomeAString) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const std::string& text : {all, all + all, std::string("\xf0\x9f\x98"), std::string("\xed\xa0\x80\xc0\xaf"),
                                  std::string("\xf4\x90\x80\x80\xe2\x82")}) {
    const std::string string = webhook::json_string(text);
    ASSERT_TRUE(json::accept(string)) << string;
    EXPECT_EQ(part(string), string);
  }
  const std::string ascii = all.substr(0, 128);
  EXPECT_EQ(json::parse(webhook::json_string(ascii)).get<std::string>(), ascii);
  EXPECT_EQ(text_of(webhook::json_string(ascii)), ascii);
  EXPECT_EQ(text_of(webhook::json_string("\u00e4\U0001F600")), "\u00e4\U0001F600");
}

}  // namespace
