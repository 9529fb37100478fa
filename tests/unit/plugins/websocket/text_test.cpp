#include "rules/text.hpp"

#include "rules/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>

namespace rules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string clean(std::string_view text) {
  std::string out;
  append_clean(out, text);
  return out;
}

std::string fault_of(std::string_view text) {
  try {
    (void)parse_strict(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(CleanText, ShowsWhatWouldSteerATerminal) {
  EXPECT_EQ(clean("a\x1b[2Jb\nc\x7f"), "a\\x1b[2Jb\\x0ac\\x7f");
  EXPECT_EQ(clean("abc\xe2\x80\xaetxt.exe"), "abctxt.exe");  // turned around
  EXPECT_EQ(clean("K\xc3\xbc"
                  "che"),
            "K\xc3\xbc"
            "che");
  EXPECT_EQ(clean("a\xff\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(clean("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // half of a surrogate pair
}

TEST(CleanText, IsCutBetweenCharacters) {
  std::string text(kMostValueBytes - 1, 'x');
  EXPECT_EQ(clean(text + "\xc3\xbcyy"), text + "\xe2\x80\xa6");
  std::string message(10, 'x');
  message += "\xc3\xbc";
  shorten(message, 11);
  EXPECT_EQ(message, "xxxxxxxx\xe2\x80\xa6");
}

TEST(Slug, IsPlain) {
  EXPECT_EQ(slug("A new device!"), "a-new-device");
  EXPECT_EQ(slug("  SSH / Telnet "), "ssh-telnet");
  EXPECT_EQ(slug("\xc3\xbc"), "rule");
}

TEST(Time, IsThatOfRfc3339) {
  EXPECT_EQ(time_text(1'795'791'346'000'000'000), "2026-11-27T14:55:46Z");
  EXPECT_EQ(time_of("2026-11-27T14:55:46Z"), 1'795'791'346'000'000'000);
  EXPECT_EQ(time_of("2026-11-27T15:55:46.25+01:00"), 1'795'791'346'000'000'000);
  EXPECT_EQ(time_of("2024-02-29T00:00:00Z").has_value(), true);
  EXPECT_EQ(time_of("2261-12-31T23:59:59Z"), 9'214'646'399'000'000'000);
  EXPECT_EQ(time_of("2262-01-01T00:00:00Z"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(time_of("9999-11-27T14:55:46Z"), std::numeric_limits<std::int64_t>::max());
  for (const char* text : {"", "tomorrow", "2026-11-27", "2026-11-27T14:55:46", "2026-13-27T14:55:46Z",
                           "2026-02-30T14:55:46Z", "2026-11-27T24:55:46Z", "2026-11-27T14:55:46.Z",
                           "2026-11-27T14:55:46+1", "9999-02-30T14:55:46Z", "-026-11-27T14:55:46Z"}) {
    EXPECT_EQ(time_of(text), std::nullopt) << text;
  }
}

TEST(StrictJson, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(fault_of(R"({"a":{"b":1,"b":2}})"), R"(the key "b" stands in an object twice)");
  EXPECT_EQ(fault_of(R"({"":1,"":2})"), R"(the key "" stands in an object twice)");
  EXPECT_THAT(fault_of("[\n  1,\n  x]"), ::testing::StartsWith("3:3: "));
  EXPECT_EQ(fault_of(std::string_view("[1]\0[2]", 7)), "1:4: a NUL byte");
  EXPECT_THAT(fault_of("[\"\xff\"]"), ::testing::HasSubstr("ill-formed UTF-8"));
  EXPECT_THAT(fault_of(std::string(100, '[')), ::testing::HasSubstr("nested deeper"));
  EXPECT_THAT(fault_of("[1e999]"), ::testing::Not(IsEmpty()));
  EXPECT_THAT(fault_of('"' + std::string(kMostJsonBytes, 'x') + '"'), ::testing::HasSubstr("longer than 4 MiB"));
  EXPECT_EQ(fault_of(R"([{"a":1},{"a":2}])"), "");
}

TEST(StrictJson, ElementsAreAsTheyAreWritten) {
  EXPECT_THAT(elements_of("[]"), IsEmpty());
  EXPECT_THAT(elements_of(" [ ] "), IsEmpty());
  EXPECT_THAT(elements_of("[ {\"a\": \"],[\\\"\"} ,\n[1, 2],3 , \"x\" ]"),
              ElementsAre(R"({"a": "],[\""})", "[1, 2]", "3", R"("x")"));
}

TEST(DidYouMean, FindsWhatIsNear) {
  EXPECT_EQ(did_you_mean("cooldown", {"name", "cooldown_s"}), R"(; did you mean "cooldown_s"?)");
  EXPECT_EQ(did_you_mean("scr", {"dst", "src"}), R"(; did you mean "src"?)");
  EXPECT_EQ(did_you_mean("xyz", {"name", "cooldown_s"}), "");
}

}  // namespace
}  // namespace rules
