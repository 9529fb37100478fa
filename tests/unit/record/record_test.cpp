#include "record/record.hpp"

#include "check_event.hpp"
#include "packets.hpp"

#include "event/batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {
namespace {

using testing::HasSubstr;

using ByteVector = std::vector<std::uint8_t>;

ByteVector encoded(const nfbus_event& event) {
  ByteVector bytes;
  const auto written = record::encode(event, bytes);
  EXPECT_TRUE(written) << written.error().text;
  return bytes;
}

// An event again, from a copy of exactly its bytes, so that the address sanitizer sees each byte read beyond them.
class Decoded {
 public:
  explicit Decoded(std::span<const std::uint8_t> bytes) : bytes_(new std::uint8_t[bytes.size()]), size_(bytes.size()) {
    std::ranges::copy(bytes, bytes_.get());
    result = record::decode({bytes_.get(), size_}, event, fields, ports);
  }
  [[nodiscard]] std::string error() const { return result ? "" : result.error().text; }

  Event event{};
  std::vector<nfbus_field> fields;
  nfbus_ports ports{};
  Result<void> result;

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
};

const std::vector<test::Packet>& packets() {
  static const std::vector<test::Packet> all = test::load_packets(NFBUS_TEST_DATA);
  return all;
}

// Lives as long as the program: events point into it.
const test::Packet& packet_named(std::string_view name) {
  return *std::ranges::find(packets(), name, &test::Packet::name);
}

std::string_view bytes_of(nfbus_bytes bytes) { return {reinterpret_cast<const char*>(bytes.data), bytes.size}; }

std::string fields_of(const nfbus_event& event) {
  std::string all;
  for (const nfbus_field& field : std::span(event.fields, event.field_count)) {
    all += std::string(view(field.name)) + '=' + std::string(view(field.value)) + ';';
  }
  return all;
}

// All that a plugin can see of an event.
void expect_same(const nfbus_event& a, const nfbus_event& b) {
  const auto numbers = [](const nfbus_event& e) {
    return std::vector<std::int64_t>{e.struct_size,
                                     e.kind,
                                     e.action,
                                     e.hook,
                                     e.family,
                                     e.time_ns,
                                     e.present,
                                     e.layers,
                                     e.packet_size,
                                     e.in_index,
                                     e.out_index,
                                     e.phys_in_index,
                                     e.phys_out_index,
                                     e.mark,
                                     e.uid,
                                     e.gid,
                                     e.sequence,
                                     e.lost_before,
                                     e.group,
                                     e.ether_type,
                                     e.hw_type,
                                     e.vlan_tci,
                                     e.vlan_protocol,
                                     e.transport_offset,
                                     e.data_offset,
                                     e.source_port,
                                     e.destination_port,
                                     e.ip_protocol};
  };
  EXPECT_EQ(numbers(a), numbers(b));
  for (const auto member : {&nfbus_event::topic, &nfbus_event::prefix, &nfbus_event::in_name, &nfbus_event::out_name,
                            &nfbus_event::decode_error}) {
    EXPECT_EQ(view(a.*member), view(b.*member));
  }
  for (const auto member :
       {&nfbus_event::payload, &nfbus_event::hw_header, &nfbus_event::record, &nfbus_event::hw_address}) {
    EXPECT_EQ(bytes_of(a.*member), bytes_of(b.*member));
  }
  EXPECT_EQ(fields_of(a), fields_of(b));
  EXPECT_EQ(view(port_in_name(a)), view(port_in_name(b)));
  EXPECT_EQ(view(port_out_name(a)), view(port_out_name(b)));
}

const std::array<nfbus_field, 2> kFields = {
    {{.name = text("rule"), .value = text("r1"), .type = NFBUS_VALUE_TEXT, .reserved = 0},
     {.name = text("RecentDomainDst"), .value = text("example.org"), .type = NFBUS_VALUE_JSON, .reserved = 0}}};

const nfbus_ports kPorts = {
    .struct_size = sizeof kPorts, .reserved = 0, .in_name = text("port1"), .out_name = text("port2")};

// As a capture makes it of a record, and its filters annotate it.
Event captured(const test::Packet& packet) {
  Event event = test::decode_record(packet.record);
  event.topic = text("nft:drop:input");
  event.time_ns = 1'700'000'000'123'456'789;  // not the kernel's, as of a replay
  event.action = NFBUS_ACTION_BLOCKED;
  event.group = 7;  // told by the capture where the record is too short to say
  event.lost_before = 3;
  event.in_name = text("wan0");
  event.out_name = text("lan0");
  event.ports = &kPorts;
  event.fields = kFields.data();
  event.field_count = kFields.size();
  return event;
}

Event message(std::string_view content) {
  Event event{};
  event.struct_size = sizeof(nfbus_event);
  event.kind = NFBUS_EVENT_MESSAGE;
  event.topic = text("dns:serve:x");
  event.payload = {.data = reinterpret_cast<const std::uint8_t*>(content.data()), .size = content.size()};
  event.time_ns = 42;
  event.transport_offset = NFBUS_NO_OFFSET;
  event.data_offset = NFBUS_NO_OFFSET;
  return event;
}

TEST(EventRecord, GivesEveryCapturedPacketBackAsItWas) {
  ASSERT_GT(packets().size(), 100U);
  for (const test::Packet& packet : packets()) {
    SCOPED_TRACE(packet.name);
    const Event event = captured(packet);
    const ByteVector bytes = encoded(event);
    const Decoded back(bytes);
    ASSERT_TRUE(back.result) << back.error();
    expect_same(event, back.event);
    EXPECT_EQ(test::broken_promise(back.event), nullptr);
    EXPECT_EQ(encoded(back.event), bytes);
  }
}

TEST(EventRecord, KeepsTheKernelsBytesAsTheyAre) {
  const test::Packet& packet = packet_named("ipv4_tcp_syn");
  const ByteVector bytes = encoded(captured(packet));
  ASSERT_GT(bytes.size(), packet.record.size());
  EXPECT_TRUE(std::equal(packet.record.rbegin(), packet.record.rend(), bytes.rbegin()));
}

TEST(EventRecord, GivesAMessageBackAsItWas) {
  Event event = message(R"({"Q":[]})");
  event.present = NFBUS_HAS_UID;
  event.uid = 1000;
  event.fields = kFields.data();
  event.field_count = kFields.size();
  const ByteVector bytes = encoded(event);
  const Decoded back(bytes);
  ASSERT_TRUE(back.result) << back.error();
  expect_same(event, back.event);
  EXPECT_EQ(encoded(back.event), bytes);
}

TEST(EventRecord, TellsRootsMessageFromOneWhosePublisherIsUnknown) {
  Event root = message("x");
  root.present = NFBUS_HAS_UID;
  EXPECT_EQ(Decoded(encoded(root)).event.present, NFBUS_HAS_UID);
  EXPECT_EQ(Decoded(encoded(message("x"))).event.present, 0U);
}

TEST(EventRecord, HoldsTextsThatAreEmptyOrNoText) {
  Event event = message({});
  event.topic = text(std::string_view("\0\xff\n", 3));
  const Decoded back(encoded(event));
  ASSERT_TRUE(back.result) << back.error();
  expect_same(event, back.event);
}

// The layout is what disks and other machines hold: it never changes without another version.
TEST(EventRecord, HasTheLayoutOfVersionOne) {
  Event event = message("hi");
  event.topic = text("a:b");
  event.present = NFBUS_HAS_UID;
  event.uid = 0x01020304;
  event.time_ns = 0x1122334455667788;
  const std::array<nfbus_field, 1> field = {
      {{.name = text("n"), .value = text("val"), .type = NFBUS_VALUE_TEXT, .reserved = 0}}};
  event.fields = field.data();
  event.field_count = 1;
  const ByteVector expected = {
      1,    2,    2,    0,                             // version, message, has a uid, no action
      1,    0,    0,    0,                             // one field
      0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,  // time
      0,    0,    0,    0,                             // lost before
      4,    3,    2,    1,                             // uid
      0,    0,    0,    0,                             // group, sizes of the bridge ports' names
      3,    0,    0,    0,    0,    0,    0,    0,     // bytes of the topic, of the input interface's name
      0,    0,    0,    0,    16,   0,    0,    0,     // of the output interface's, of the fields
      2,    0,    0,    0,                             // of the text
      'a',  ':',  'b',                                 //
      1,    0,    0,    0,    3,    0,    0,    0,     // bytes of the name and the value
      1,    0,    0,    0,                             // its type: text
      'n',  'v',  'a',  'l',  'h',  'i'};
  EXPECT_EQ(encoded(event), expected);

  const std::array<std::uint8_t, 4> attributes = {2, 0, 0, 9};
  Event packet = test::decode_record(attributes);
  packet.action = NFBUS_ACTION_ALLOWED;
  packet.lost_before = 5;
  packet.in_name = text("e");
  packet.out_name = text("lo");
  const nfbus_ports ports = {.struct_size = sizeof ports, .reserved = 0, .in_name = text("p"), .out_name = text("q0")};
  packet.ports = &ports;
  const ByteVector expected_packet = {1, 1, 0, 1, 0, 0, 0, 0, 0,   0,   0,   0,   0,   0,   0, 0, 5, 0, 0, 0,
                                      0, 0, 0, 0, 9, 0, 1, 2, 0,   0,   0,   0,   1,   0,   0, 0, 2, 0, 0, 0,
                                      0, 0, 0, 0, 4, 0, 0, 0, 'e', 'l', 'o', 'p', 'q', '0', 2, 0, 0, 9};
  EXPECT_EQ(encoded(packet), expected_packet);
}

TEST(EventRecord, StandsBehindWhatIsThere) {
  ByteVector bytes = {0xaa, 0xbb};
  ASSERT_TRUE(record::encode(message("x"), bytes));
  EXPECT_EQ(bytes[1], 0xbb);
  EXPECT_TRUE(Decoded(std::span(bytes).subspan(2)).result);
}

TEST(EventRecord, OutlivesItsBytesAsACopy) {
  BatchRef copy;
  const Event event = captured(packet_named("ipv6_udp"));
  {
    const Decoded back(encoded(event));
    const Event* const one = &back.event;
    copy = copy_events({&one, 1});
  }
  expect_same(event, copy->events()[0]);
}

TEST(EventRecord, IsRefusedWhenItEndsAtAnyByteBeforeItsEndOrBehindIt) {
  for (const Event& event : {captured(packet_named("ipv4_tcp_syn")), message("text")}) {
    ByteVector bytes = encoded(event);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Decoded cut{std::span(bytes).first(size)};
      ASSERT_FALSE(cut.result) << size;
      EXPECT_EQ(cut.result.error().code, Code::invalid);
      EXPECT_THAT(cut.error(), HasSubstr("not an event record: "));
      EXPECT_EQ(cut.event.struct_size, 0U) << "the event was touched";
    }
    bytes.push_back(0);
    EXPECT_FALSE(Decoded(bytes).result);
  }
}

TEST(EventRecord, IsRefusedWhenAnyOfItsSizesIsWrong) {
  Event event = message("text");
  event.fields = kFields.data();
  event.field_count = kFields.size();
  const ByteVector good = encoded(event);
  const std::size_t fields_at = 48 + event.topic.size;
  for (const std::size_t at : {std::size_t{4}, std::size_t{28}, std::size_t{32}, std::size_t{36}, std::size_t{40},
                               std::size_t{44}, fields_at, fields_at + 4}) {
    for (const unsigned wrong : {unsigned{good[at]} + 1, unsigned{good[at]} - 1, 0x80U, 0xffU}) {
      ByteVector bytes = good;
      bytes[at] = static_cast<std::uint8_t>(wrong);
      EXPECT_FALSE(Decoded(bytes).result) << "byte " << at << " is " << wrong;
    }
    ByteVector huge = good;
    std::fill_n(huge.begin() + static_cast<std::ptrdiff_t>(at), 4, std::uint8_t{0xff});
    EXPECT_FALSE(Decoded(huge).result) << "at byte " << at;
  }
}

TEST(EventRecord, TakesNoMemoryForFieldsThatAreNotThere) {
  ByteVector bytes = encoded(message("x"));
  std::fill_n(bytes.begin() + 4, 4, std::uint8_t{0xff});
  const Decoded many(bytes);
  EXPECT_THAT(many.error(), HasSubstr("its fields have no room"));
  EXPECT_EQ(many.fields.capacity(), 0U);
}

TEST(EventRecord, WithAnyByteReplacedIsRefusedOrGivesTheSameBytesAgain) {
  Event with_uid = message("text");
  with_uid.present = NFBUS_HAS_UID;
  for (const Event& event : {captured(packet_named("record_all_attributes")), with_uid}) {
    ByteVector bytes = encoded(event);
    for (std::uint8_t& byte : bytes) {
      const std::uint8_t kept = byte;
      for (unsigned value = 0; value < 256; ++value) {
        byte = static_cast<std::uint8_t>(value);
        const Decoded decoded(bytes);
        if (!decoded.result) continue;
        test::read_everything(decoded.event);
        ASSERT_EQ(encoded(decoded.event), bytes);
      }
      byte = kept;
    }
  }
}

TEST(EventRecord, OfAnotherVersionIsRefusedInASentenceWhateverItsSize) {
  const Decoded newer(ByteVector{2});
  ASSERT_FALSE(newer.result);
  EXPECT_EQ(newer.result.error().code, Code::unsupported);
  EXPECT_EQ(newer.error(),
            "an event record of version 2, but this nfbus reads version 1: use one of the release that wrote it");
}

TEST(EventRecord, OfAPacketFromAMachineOfTheOtherByteOrderIsRefused) {
  ByteVector packet = encoded(captured(packet_named("ipv4_tcp_syn")));
  packet[2] ^= 1U;
  const Decoded decoded(packet);
  ASSERT_FALSE(decoded.result);
  EXPECT_EQ(decoded.result.error().code, Code::unsupported);
  EXPECT_THAT(decoded.error(), HasSubstr("byte order"));
}

TEST(EventRecord, IsRefusedWithValuesOfTheOtherKind) {
  const ByteVector packet = encoded(captured(packet_named("ipv4_tcp_syn")));
  const ByteVector text_message = encoded(message("x"));
  struct Case {
    const ByteVector& good;
    std::size_t at;
    std::uint8_t value;
    const char* why;
  };
  for (const Case& wrong :
       {Case{packet, 1, 3, "neither a packet nor a message"}, Case{packet, 2, 2, "unknown flags"},
        Case{packet, 3, 3, "unknown action"}, Case{packet, 20, 1, "a message's uid"},
        Case{text_message, 26, 1, "values of a packet"}, Case{text_message, 27, 1, "values of a packet"},
        Case{text_message, 2, 1, "unknown flags"}, Case{text_message, 3, 1, "values of a packet"},
        Case{text_message, 16, 1, "values of a packet"}, Case{text_message, 24, 1, "values of a packet"},
        Case{text_message, 20, 1, "says that it has none"}}) {
    ByteVector bytes = wrong.good;
    bytes[wrong.at] = wrong.value;
    EXPECT_THAT(Decoded(bytes).error(), HasSubstr(wrong.why)) << "byte " << wrong.at;
  }
}

TEST(EventRecord, IsNotWrittenOfAnEventThatItsSizesCannotTell) {
  Event event = message("x");
  event.payload.size = std::numeric_limits<std::uint32_t>::max();
  ByteVector bytes = {1};
  const auto written = record::encode(event, bytes);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().text, HasSubstr("4294967354 bytes is too large"));
  EXPECT_EQ(bytes, ByteVector{1});
}

}  // namespace
}  // namespace nfbus::host
