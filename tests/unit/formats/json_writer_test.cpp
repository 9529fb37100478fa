#include "formats/json_writer.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <arpa/inet.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

template <typename Write>
std::string written(Write write) {
  std::vector<char> memory(4096, '#');
  return {memory.data(), write(memory.data())};
}

std::string text(std::string_view raw) {
  return written([&](char* out) { return json::put_text(out, raw); });
}

TEST(JsonWriter, PrintsNumbersOfAnySizeInDecimal) {
  std::vector<std::uint32_t> values{0, 9, 10, 99, 100, 255, 256, 999, 1000, 9999, 10000, 999999, 1000000, 99999999};
  for (std::uint32_t power = 1; power <= 1000000000; power *= 10) {
    values.insert(values.end(), {power - 1, power, power + 1, power * 4 + 7});
    if (power == 1000000000) break;
  }
  values.push_back(4294967295U);
  for (const std::uint32_t value : values) {
    EXPECT_EQ(written([&](char* out) { return json::put_u32(out, value); }), std::to_string(value));
  }
  for (unsigned value = 0; value < 256; ++value) {
    EXPECT_EQ(written([&](char* out) { return json::put_u8(out, static_cast<std::uint8_t>(value)); }),
              std::to_string(value));
  }
  EXPECT_EQ(written([](char* out) { return json::put_six_digits(out, 1020); }), "001020");
}

TEST(JsonWriter, PrintsAddressesAsInetNtopDoes) {
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same addresses in each run
  for (int round = 0; round < 20000; ++round) {
    std::array<std::uint8_t, 16> address{};
    for (std::size_t group = 0; group < 8; ++group) {
      const auto kind = random() % 4;
      const std::uint32_t value = kind < 2    ? 0
                                  : kind == 2 ? 0xffffU >> (random() % 16)
                                              : static_cast<std::uint32_t>(random());
      address[2 * group] = static_cast<std::uint8_t>(value >> 8U);
      address[2 * group + 1] = static_cast<std::uint8_t>(value);
    }
    std::array<char, INET6_ADDRSTRLEN> expected{};
    ASSERT_NE(inet_ntop(AF_INET6, address.data(), expected.data(), expected.size()), nullptr);
    ASSERT_EQ(written([&](char* out) { return json::put_ipv6(out, address); }), expected.data());
    const std::span<const std::uint8_t, 4> four(address.data() + 12, 4);
    ASSERT_NE(inet_ntop(AF_INET, four.data(), expected.data(), expected.size()), nullptr);
    ASSERT_EQ(written([&](char* out) { return json::put_ipv4(out, four); }), expected.data());
  }
}

TEST(JsonWriter, EscapesWhatJsonWantsEscapedAndNothingElse) {
  EXPECT_EQ(text("drop:input "), "drop:input ");
  EXPECT_EQ(text("a\"b\\c/d"), R"(a\"b\\c/d)");
  EXPECT_EQ(text("\b\f\n\r\t\x01\x1f\x7f"), R"(\b\f\n\r\t\u0001\u001f)"
                                            "\x7f");
  EXPECT_EQ(text("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(text(""), "");
}

TEST(JsonWriter, EscapesCharactersThatHideOrSteerATerminal) {
  EXPECT_EQ(text("\xc2\x9b"
                 "2J caf\xc3\xa9"),
            "\\u009b2J caf\xc3\xa9");
  EXPECT_EQ(text("a\xe2\x80\xae"
                 "b\xe2\x80\xa8\xef\xbb\xbf\xd8\x9c"),
            R"(a\u202eb\u2028\ufeff\u061c)");
  EXPECT_EQ(text("\xf3\xa0\x81\x81"), R"(\udb40\udc41)");
  EXPECT_EQ(nlohmann::json::parse("\"" + text("\xf3\xa0\x81\x81\xc2\x85") + "\""), "\xf3\xa0\x81\x81\xc2\x85");
}

TEST(JsonWriter, ShowsAJsonTextWithTheSameMeaning) {
  const std::string plain = R"({"a":[1.50,"\u202e \" ]"],"a":null})";
  EXPECT_EQ(json::shown(plain), plain);
  const std::string raw = "{\"\xe2\x80\xae\":\"\xc3\xa9\xc2\x9b\"}";
  EXPECT_EQ(json::shown(raw), "{\"\\u202e\":\"\xc3\xa9\\u009b\"}");
  EXPECT_EQ(nlohmann::json::parse(json::shown(raw)), nlohmann::json::parse(raw));
}

TEST(JsonWriter, ReplacesEachBrokenUtf8SequenceByOneReplacementCharacter) {
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(text("a\xff"
                 "b"),
            "a" + mark + "b");
  EXPECT_EQ(text("caf\xe9"), "caf" + mark);
  EXPECT_EQ(text("\xe2\x82"), mark) << "cut short";
  EXPECT_EQ(text("\xe2\x82z"), mark + "z");
  EXPECT_EQ(text("\xc0\xaf"), mark + mark) << "overlong";
  EXPECT_EQ(text("\xed\xa0\x80"), mark + mark + mark) << "a surrogate";
  EXPECT_EQ(text("\xf4\x90\x80\x80"), mark + mark + mark + mark) << "beyond U+10FFFF";
  EXPECT_EQ(text("\xf0\x9f\x98"), mark);
  EXPECT_EQ(text("\x80"), mark);
}

TEST(JsonWriter, MakesValidJsonOfAnyBytesWhereverTheyStand) {
  std::mt19937 random(2);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same bytes in each run
  for (int round = 0; round < 20000; ++round) {
    std::string raw(random() % 40, 'x');
    for (char& byte : raw) {
      if (random() % 4 == 0) byte = static_cast<char>(random());
    }
    const std::string document = '"' + text(raw) + '"';
    const nlohmann::json parsed = nlohmann::json::parse(document, nullptr, false);
    ASSERT_TRUE(parsed.is_string()) << document;
    // A text without broken sequences comes back as it was.
    if (document.find("\xef\xbf\xbd") == std::string::npos) {
      ASSERT_EQ(parsed.get<std::string>(), raw);
    }
  }
}

std::string base64(std::string_view raw) {
  return written([&](char* out) {
    return json::put_base64(out, {reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size()});
  });
}

TEST(JsonWriter, PrintsTheBase64ExamplesOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xfb\xff\xbf"), "+/+/");
}

TEST(JsonWriter, PrintsBase64ThatGivesTheBytesBackAndIsAsLongAsAnnounced) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::mt19937 random(3);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same bytes in each run
  for (std::size_t size = 0; size < 600; ++size) {
    std::string raw(size, '\0');
    for (char& byte : raw) byte = static_cast<char>(random());
    const std::string encoded = base64(raw);
    ASSERT_EQ(encoded.size(), json::base64_bytes(size));
    std::string back;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char digit : encoded.substr(0, encoded.find('='))) {
      bits = bits << 6U | static_cast<std::uint32_t>(kDigits.find(digit));
      count += 6;
      if (count >= 8) back.push_back(static_cast<char>(bits >> static_cast<unsigned>(count -= 8)));
    }
    ASSERT_EQ(back, raw);
  }
}

TEST(JsonWriter, PrintsTruthValues) {
  EXPECT_EQ(written([](char* out) { return json::put_bool(out, true); }), "true");
  EXPECT_EQ(written([](char* out) { return json::put_bool(out, false); }), "false");
}

TEST(JsonWriter, PrintsHardwareAddresses) {
  const std::array<std::uint8_t, 3> bytes{0x00, 0x9a, 0xff};
  EXPECT_EQ(written([&](char* out) { return json::put_hex_bytes(out, bytes); }), "00:9a:ff");
  EXPECT_EQ(written([&](char* out) { return json::put_hex_bytes(out, {}); }), "");
}

}  // namespace
}  // namespace nfbus::host
