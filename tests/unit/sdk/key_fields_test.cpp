#include <nfbus/key_fields.hpp>
//
#include <nfbus/testing/fake_packets.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using nfbus::test::Packet;
using nfbus::test::Packets;
using testing::ElementsAre;
using testing::IsEmpty;

std::string key_of(const nfbus::KeyFields& fields, const Packet& packet) {
  const Packets packets({packet});
  std::string key;
  fields.pack(nfbus::Event(packets.items().front()), key);
  return key;
}

std::vector<std::string> shown(const nfbus::KeyFields& fields, const std::string& key) {
  std::vector<std::string> out;
  fields.unpack(key, [&](std::string_view name, const nfbus::KeyFields::Shown& value) {
    const auto* const port = std::get_if<std::uint16_t>(&value);
    out.push_back(std::string(name) + "=" + (port != nullptr ? std::to_string(*port) : std::get<std::string>(value)));
  });
  return out;
}

TEST(KeyFields, ShowWhatTheyWereMadeOf) {
  const nfbus::KeyFields fields({"src", "dst", "prefix", "in", "proto", "sport", "dport"});
  EXPECT_THAT(shown(fields, key_of(fields, {})), ElementsAre("src=192.0.2.1", "dst=198.51.100.1", "prefix=lan:in ",
                                                             "in=eth0", "proto=tcp", "sport=40000", "dport=443"));
  EXPECT_THAT(shown(fields, key_of(fields, {.source = "2001:db8::1", .destination = "fe80::2", .protocol = 99})),
              testing::Contains("proto=99"));
}

TEST(KeyFields, LeaveOutWhatAnEventDoesNotHave) {
  const nfbus::KeyFields fields({"src", "out", "topic", "proto", "dport"});
  EXPECT_THAT(shown(fields, key_of(fields, {.source = ""})), IsEmpty());
}

TEST(KeyFields, MakeDifferentKeysOfDifferentEventsAlone) {
  const nfbus::KeyFields fields({"in", "prefix", "src"});
  const std::string key = key_of(fields, {.prefix = "ab", .in_name = "c"});
  EXPECT_EQ(key, key_of(fields, {.destination = "203.0.113.9", .prefix = "ab", .time_ns = 5, .in_name = "c"}));
  EXPECT_NE(key, key_of(fields, {.prefix = "b", .in_name = "ca"}));
  EXPECT_NE(key, key_of(fields, {.source = "192.0.2.2", .prefix = "ab", .in_name = "c"}));
  EXPECT_NE(key, key_of(fields, {.source = "", .prefix = "ab", .in_name = "c"}));
  EXPECT_EQ(key_of(nfbus::KeyFields({}), {}), "");
}

TEST(KeyFields, NameTheFieldThatIsNone) {
  EXPECT_THROW(
      try {
        nfbus::KeyFields({"src", "srcport"});
      } catch (const std::invalid_argument& wrong) {
        EXPECT_STREQ(wrong.what(), R"(key "srcport" is no field of an event)");
        throw;
      },
      std::invalid_argument);
}

}  // namespace
