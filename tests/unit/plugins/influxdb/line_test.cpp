#include "line.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using influx::Value;

template <typename Append>
std::string text_of(Append append, std::string_view of) {
  std::string out;
  append(out, of);
  return out;
}
std::string tag(std::string_view value) { return text_of(influx::append_tag_value, value); }
std::string measurement(std::string_view value) { return text_of(influx::append_measurement, value); }
std::string field(std::string_view value) { return text_of(influx::append_text_field, value); }

constexpr std::string_view kUnknown = "\xEF\xBF\xBD";

TEST(Line, EachByteOfATagIsWrittenAsTheServerReadsIt) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    std::string expected(1, c);
    if (c == ',' || c == '=' || c == ' ') expected = std::string("\\") + c;
    if ((byte < 0x20) || byte == 0x7f) expected = "\\ ";
    if (byte >= 0x80) expected = kUnknown;
    EXPECT_EQ(tag(std::string("a") + c + "z"), "a" + expected + "z") << byte;
  }
}

TEST(Line, EachByteOfAMeasurementIsWrittenAsTheServerReadsIt) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    std::string expected(1, c);
    if (c == ',' || c == ' ') expected = std::string("\\") + c;
    if ((byte < 0x20) || byte == 0x7f) expected = "\\ ";
    if (byte >= 0x80) expected = kUnknown;
    EXPECT_EQ(measurement(std::string("a") + c + "z"), "a" + expected + "z") << byte;
  }
}

TEST(Line, EachByteOfATextIsWrittenAsTheServerReadsIt) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    std::string expected(1, c);
    if (c == '"' || c == '\\') expected = std::string("\\") + c;
    if (byte >= 0x80) expected = kUnknown;
    EXPECT_EQ(field(std::string("a") + c), "\"a" + expected + '"') << byte;
  }
}

TEST(Line, ABackslashAtTheEndWouldTakeWhatFollows) {
  EXPECT_EQ(tag("a\\"), "a" + std::string(kUnknown));
  EXPECT_EQ(tag("\\"), kUnknown);
  EXPECT_EQ(tag("a\\\\"), "a\\" + std::string(kUnknown));
  EXPECT_EQ(tag("\\a"), "\\a");
  EXPECT_EQ(measurement("a\\"), "a" + std::string(kUnknown));
  EXPECT_EQ(text_of(influx::append_key, "a\\"), "a" + std::string(kUnknown));
}

TEST(Line, KeepsTextsOfWholeCharactersAndNoOthers) {
  for (const std::string_view whole :
       {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(tag(whole), whole);
    EXPECT_EQ(field(whole), '"' + std::string(whole) + '"');
  }
  // Overlong, surrogate, above U+10FFFF, cut: a replacement for each byte.
  for (const std::string_view broken :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x90", "\xe2\x82"}) {
    std::string expected;
    for (std::size_t i = 0; i < broken.size(); ++i) expected += kUnknown;
    EXPECT_EQ(tag(broken), expected);
  }
}

TEST(Line, FieldsHaveTheTypesOfTheProtocol) {
  const auto text = [](const Value& value) {
    std::string out;
    influx::append_field_value(out, value);
    return out;
  };
  EXPECT_EQ(text(Value::of(std::int64_t{-42})), "-42i");
  EXPECT_EQ(text(Value::of(std::numeric_limits<std::int64_t>::max())), "9223372036854775807i");
  EXPECT_EQ(text(Value::of(1.5)), "1.5");
  EXPECT_EQ(text(Value::of(true)), "true");
  EXPECT_EQ(text(Value::of(std::string_view("a b"))), "\"a b\"");
  EXPECT_FALSE(influx::is_writable(Value::of(std::nan(""))));
  EXPECT_FALSE(influx::is_writable(Value::of(std::numeric_limits<double>::infinity())));
  EXPECT_FALSE(influx::is_writable(Value{}));
}

}  // namespace
