// Lines of a bounded length, for the bus: its clients cannot read longer ones.
#include "format_support.hpp"

#include "formats/json_cut.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <deque>
#include <random>

namespace nfbus::host {
namespace {

using test::Object;
using test::PacketEvent;
using test::RecordBuilder;

std::string rendered_within(const Event& event, std::string_view format, std::size_t max_bytes) {
  const FormatSet formats("spr");
  TextBuffer buffer;
  buffer.append("before ");
  formats[formats.find(format)].render_within(event, max_bytes, buffer);
  EXPECT_TRUE(buffer.view().starts_with("before "));
  return std::string(buffer.view().substr(7));
}

void append_word(test::ByteVector& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

test::ByteVector udp_packet(std::uint16_t source_port, const test::ByteVector& data) {
  test::ByteVector packet = test::from_hex("4500000000000000401100000a4d00020a4d0001");
  packet[2] = static_cast<std::uint8_t>((data.size() + 28) >> 8U);
  packet[3] = static_cast<std::uint8_t>(data.size() + 28);
  append_word(packet, source_port);
  append_word(packet, 40000);
  append_word(packet, data.size() + 8);
  append_word(packet, 0);
  packet.insert(packet.end(), data.begin(), data.end());
  return packet;
}

// A DNS response with so many addresses of one name.
test::ByteVector dns_response(std::uint16_t answers) {
  test::ByteVector message = test::from_hex("000181800001");
  append_word(message, answers);
  const test::ByteVector question = test::from_hex("00000000076578616d706c65036f72670000010001");
  message.insert(message.end(), question.begin(), question.end());
  for (std::uint16_t i = 0; i < answers; ++i) {
    const test::ByteVector answer = test::from_hex("c00c00010001000000050004c0000201");
    message.insert(message.end(), answer.begin(), answer.end());
  }
  return message;
}

test::ByteVector record_of(const test::ByteVector& packet) {
  return RecordBuilder(AF_INET, 0x0800, 1).text(NFULA_PREFIX, "lan:in ").attribute(NFULA_PAYLOAD, packet).bytes();
}

TEST(BoundedLine, IsTheUsualOneWhenThatFits) {
  PacketEvent packet(record_of(udp_packet(7000, test::ByteVector(1000, 'x'))));
  const nfbus_field field{NFBUS_TEXT("name"), NFBUS_TEXT("value"), NFBUS_VALUE_TEXT, 0};
  packet.event.fields = &field;
  packet.event.field_count = 1;
  for (const char* format : {"packet", "packet_full", "ulogd"}) {
    const std::string usual = test::rendered(packet.event, format);
    EXPECT_EQ(rendered_within(packet.event, format, std::max(usual.size(), Format::kMinBound)), usual);
  }
}

TEST(BoundedLine, ShortensPayloadsFirstAndKeepsAsMuchOfThemAsFits) {
  PacketEvent packet(record_of(udp_packet(7000, test::ByteVector(60000, 'x'))));
  const std::string line = rendered_within(packet.event, "packet_full", 30000);
  EXPECT_LE(line.size(), 30000U);
  EXPECT_GT(line.size(), 29900U);
  const Object object = Object::parse(line);
  EXPECT_EQ(object["Truncated"], true);
  EXPECT_TRUE(line.ends_with(R"(,"Truncated":true})"));
  EXPECT_EQ(object["IP"]["Length"], 60028);
  const std::string payload = object["UDP"]["Payload"];
  EXPECT_GT(payload.size(), 14000U);
  EXPECT_EQ(payload.substr(0, 4), "eHh4");
  EXPECT_EQ(payload.size() % 4, 0U);
  EXPECT_EQ(payload.find('='), std::string::npos) << "whole groups of three bytes";
  EXPECT_EQ(object["IP"]["Contents"].get<std::string>().size(), 28U);
}

TEST(BoundedLine, LeavesOutTheLastRecordsOfAnEndlessDnsAnswer) {
  PacketEvent packet(record_of(udp_packet(53, dns_response(2000))));
  for (const char* format : {"packet", "packet_full"}) {
    const std::string line = rendered_within(packet.event, format, 50000);
    ASSERT_LE(line.size(), 50000U);
    EXPECT_GT(line.size(), 48000U);
    const Object object = Object::parse(line);
    EXPECT_EQ(object["Truncated"], true);
    EXPECT_EQ(object["DNS"]["ANCount"], 2000);
    const Object& answers = object["DNS"]["Answers"];
    EXPECT_GT(answers.size(), 50U);
    EXPECT_EQ(answers.back(), answers.front()) << "whole records";
    EXPECT_EQ(object["Prefix"], "lan:in ");
  }
}

TEST(BoundedLine, LeavesOutTheLastFieldsWhereTheyAreTooMany) {
  PacketEvent packet(record_of(udp_packet(7000, {})));
  const std::string value(1000, 'v');
  std::deque<std::string> names;
  std::vector<nfbus_field> fields;
  for (int i = 0; i < 100; ++i) {
    fields.push_back({text(names.emplace_back("name" + std::to_string(i))), text(value), NFBUS_VALUE_TEXT, 0});
  }
  packet.event.fields = fields.data();
  packet.event.field_count = static_cast<std::uint32_t>(fields.size());
  for (const char* format : {"packet", "packet_full", "ulogd"}) {
    const std::string line = rendered_within(packet.event, format, 20000);
    ASSERT_LE(line.size(), 20000U);
    const Object object = Object::parse(line);
    EXPECT_EQ(object["Truncated"], true);
    EXPECT_EQ(std::prev(object.end()).key(), "Fields");
    EXPECT_GE(object["Fields"].size(), 17U) << format;
    EXPECT_EQ(object["Fields"]["name0"], value);
  }
}

TEST(RenderMessage, ShowsWhatIsNestedDeeperThan64LevelsAsText) {
  const auto message_of = [](std::size_t levels, std::string_view more) {
    const std::string text = std::string(levels, '[') + std::string(more) + std::string(levels, ']');
    const Event event = test::message_event("web:a", text, 1658754518000000000);
    return std::pair(Object::parse(rendered_within(event, "packet", 1UL << 20U))["Message"], text);
  };
  EXPECT_TRUE(message_of(64, R"("[[[")").first.is_array());
  EXPECT_EQ(message_of(65, "").first, message_of(65, "").second);
  EXPECT_EQ(message_of(100'000, "").first, message_of(100'000, "").second);
}

TEST(BoundedLine, ShortensAMessageToItsTopicWhenItIsTooLong) {
  const std::string message = '"' + std::string(10000, 'x') + '"';
  const Event event = test::message_event("app:status", message, 1658754518000000000);
  const Object object = Object::parse(rendered_within(event, "packet", 5000));
  EXPECT_EQ(object["Topic"], "app:status");
  EXPECT_EQ(object["Truncated"], true);
  EXPECT_FALSE(object.contains("Message"));
}

// Texts that need six characters a byte, options without number, payloads, domains, fields: all at once and in excess.
TEST(BoundedLine, IsValidJsonWithinItsBoundWhateverTheEventHolds) {
  std::mt19937 random(5);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same events in each run
  const auto some_text = [&random](std::size_t max_bytes) {
    std::string text(random() % 2 == 0 ? random() % 20 : random() % max_bytes, random() % 2 == 0 ? 'x' : '\x01');
    for (char& byte : text) {
      if (random() % 8 == 0) byte = static_cast<char>(random());
    }
    return text;
  };
  const test::ByteVector options(40, 1);
  int truncated = 0;
  for (int round = 0; round < 200; ++round) {
    const test::ByteVector data = random() % 3 == 0 ? dns_response(static_cast<std::uint16_t>(random() % 3000))
                                                    : test::ByteVector(random() % 60000);
    test::ByteVector packet = udp_packet(random() % 2 == 0 ? 53 : 7000, data);
    if (random() % 3 == 0) {
      packet[9] = 6;
      if (packet.size() >= 80) packet[32] = 0xf0;  // TCP with 40 bytes of options
      std::copy_n(options.begin(), std::min<std::size_t>(40, packet.size() - 28), packet.begin() + 28);
    }
    if (random() % 3 == 0 && packet.size() < 60000) {
      packet[0] = 0x4f;  // 40 bytes of IP options
      packet.insert(packet.begin() + 20, options.begin(), options.end());
      packet[2] = static_cast<std::uint8_t>(packet.size() >> 8U);
      packet[3] = static_cast<std::uint8_t>(packet.size());
    }
    RecordBuilder record(AF_INET, 0x0800, 1);
    record.short_number(NFULA_HWTYPE, 1);
    record.attribute(NFULA_HWHEADER, test::ByteVector(random() % 10 == 0 ? 60000 : 18, 0x81));
    record.number(NFULA_MARK, UINT32_MAX).number(NFULA_UID, UINT32_MAX).number(NFULA_GID, UINT32_MAX);
    PacketEvent event(record.number(NFULA_SEQ, UINT32_MAX).attribute(NFULA_PAYLOAD, packet).bytes());
    const std::string prefix = some_text(60000);
    const std::string in_name = some_text(100);
    const std::string out_name = some_text(100);
    event.event.prefix = text(prefix);
    event.event.in_name = text(in_name);
    event.event.out_name = text(out_name);
    std::deque<std::string> texts;
    std::vector<nfbus_field> fields;
    if (random() % 2 == 0)
      fields.push_back({NFBUS_TEXT("RecentDomainSrc"), text(texts.emplace_back(some_text(9000))), NFBUS_VALUE_TEXT, 0});
    if (random() % 2 == 0)
      fields.push_back({NFBUS_TEXT("RecentDomainDst"), text(texts.emplace_back(some_text(9000))), NFBUS_VALUE_TEXT, 0});
    for (auto left = random() % 3 == 0 ? random() % 500 : 0; left != 0; --left) {
      const std::string& name = texts.emplace_back(some_text(300));
      fields.push_back({text(name), text(texts.emplace_back(some_text(900))), NFBUS_VALUE_TEXT, 0});
    }
    event.event.fields = fields.data();
    event.event.field_count = static_cast<std::uint32_t>(fields.size());
    const std::size_t max_bytes = Format::kMinBound + (random() % 2 == 0 ? random() % 100 : random() % 70000);
    for (const char* format : {"packet", "packet_full", "ulogd"}) {
      const std::string line = rendered_within(event.event, format, max_bytes);
      ASSERT_LE(line.size(), max_bytes) << format;
      ASSERT_TRUE(Object::accept(line)) << line;
      const std::string usual = test::rendered(event.event, format);
      if (usual.size() <= max_bytes) {
        ASSERT_EQ(line, usual);
      } else {
        ++truncated;
        const Object object = Object::parse(line);
        ASSERT_EQ(object["Truncated"], true) << line;
        if (std::string_view(format) != "ulogd") {
          for (const char* key : {"IP", "Prefix", "Action", "Timestamp", "InDev", "Group", "Seq"}) {
            ASSERT_TRUE(object.contains(key)) << key << line;
          }
        }
      }
    }
  }
  EXPECT_GT(truncated, 150);
}

std::string cut(std::string_view text, std::size_t max_bytes) {
  TextBuffer buffer;
  buffer.append("[");
  buffer.append(text);
  json::cut(buffer, 1, max_bytes);
  return std::string(buffer.view().substr(1));
}

TEST(JsonCut, KeepsWholeMembersOfTheObjectAndOfWhatItHolds) {
  const std::string_view text = R"({"a":"x,}y","b":[1,{"c":[2,3]},"\"]"],"d":4})";
  EXPECT_EQ(cut(text, 100), text);
  EXPECT_EQ(cut(text, text.size()), text);
  EXPECT_EQ(cut(text, text.size() - 1), R"({"a":"x,}y","b":[1,{"c":[2,3]},"\"]"]})");
  EXPECT_EQ(cut(text, 37), R"({"a":"x,}y","b":[1,{"c":[2,3]}]})");
  EXPECT_EQ(cut(text, 31), R"({"a":"x,}y","b":[1]})");
  EXPECT_EQ(cut(text, 19), R"({"a":"x,}y","b":[]})");
  EXPECT_EQ(cut(text, 18), R"({"a":"x,}y"})");
  EXPECT_EQ(cut(text, 11), "{}");
}

}  // namespace
}  // namespace nfbus::host
