#include "rewrite/edits.hpp"

#include "check_event.hpp"
#include "decode/decode.hpp"
#include "packets.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <array>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

class Room final : public EditRoom {
 public:
  Event& writable(const nfbus_event& event) override { return const_cast<Event&>(host_event(event)); }
  std::span<std::uint8_t> allocate(std::size_t size_bytes) override {
    auto& memory = memory_.emplace_back(size_bytes + 8);
    return {memory.data(), size_bytes};
  }

 private:
  std::deque<std::vector<std::uint8_t>> memory_;
};

// RFC 1071 over whole bytes: the judge, which knows nothing of updates.
std::uint32_t sum_words(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::uint32_t{bytes[i]} << (i % 2 == 0 ? 8U : 0U);
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum;
}

Bytes payload_of(const Event& event) { return {event.payload.data, event.payload.size}; }

bool network_checksum_is_right(const Event& event) {
  if ((event.layers & NFBUS_LAYER_IPV4) == 0) return true;
  return sum_words(payload_of(event).first((event.payload.data[0] & 0x0fU) * 4UL)) == 0xffff;
}

// Of a packet that was captured whole, and is no fragment.
bool transport_checksum_is_right(const Event& event) {
  const Bytes payload = payload_of(event);
  const Bytes segment = payload.subspan(event.transport_offset);
  if ((event.layers & NFBUS_LAYER_ICMP) != 0) return sum_words(segment) == 0xffff;
  std::vector<std::uint8_t> all;
  const auto add = [&](Bytes bytes) { all.insert(all.end(), bytes.begin(), bytes.end()); };
  const bool is_ipv4 = (event.layers & NFBUS_LAYER_IPV4) != 0;
  add(is_ipv4 ? payload.subspan(12, 8) : payload.subspan(8, 32));
  const std::uint8_t rest[] = {0, event.ip_protocol, static_cast<std::uint8_t>(segment.size() >> 8U),
                               static_cast<std::uint8_t>(segment.size())};
  add(rest);
  add(segment);
  return sum_words(all) == 0xffff;
}

std::size_t ip_bytes(const Event& event) {
  const Bytes payload = payload_of(event);
  const bool is_ipv4 = (event.layers & NFBUS_LAYER_IPV4) != 0;
  return is_ipv4 ? load_be16(payload.subspan<2, 2>()) : 40UL + load_be16(payload.subspan<4, 2>());
}

bool is_whole_transport(const Event& event) {
  constexpr std::uint32_t kSummed = NFBUS_LAYER_TCP | NFBUS_LAYER_UDP | NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6;
  return event.decode_error.size == 0 && (event.layers & kSummed) != 0 && event.transport_offset != NFBUS_NO_OFFSET &&
         event.payload.size == ip_bytes(event);
}

// Writes the checksums that the judge calls right: those of the fixtures are made up.
void make_checksums_right(std::vector<std::uint8_t>& record, const Event& event) {
  std::uint8_t* payload = record.data() + (event.payload.data - event.record.data);
  const auto set = [&](std::size_t at, auto is_right) {
    payload[at] = payload[at + 1] = 0;
    for (std::uint32_t sum = 0; sum < 0x10000; ++sum) {
      payload[at] = static_cast<std::uint8_t>(sum >> 8U);
      payload[at + 1] = static_cast<std::uint8_t>(sum);
      if (is_right(test::decode_record(record))) return;
    }
    ADD_FAILURE() << "no checksum is right";
  };
  if ((event.layers & NFBUS_LAYER_IPV4) != 0) set(10, network_checksum_is_right);
  std::size_t at = event.transport_offset + 2UL;
  if ((event.layers & NFBUS_LAYER_TCP) != 0) at = event.transport_offset + 16UL;
  if ((event.layers & NFBUS_LAYER_UDP) != 0) at = event.transport_offset + 6UL;
  set(at, transport_checksum_is_right);
}

class Edits : public testing::Test {
 protected:
  Room room_;
  const std::vector<test::Packet> packets_ = test::load_packets(NFBUS_TEST_DATA);
};

TEST_F(Edits, KeepChecksumsRightWhateverBytesOfAPacketChange) {
  std::size_t tried = 0;
  for (const test::Packet& packet : packets_) {
    if (!is_whole_transport(test::decode_record(packet.record))) continue;
    std::vector<std::uint8_t> record(packet.record.begin(), packet.record.end());
    make_checksums_right(record, test::decode_record(record));
    const Event before = test::decode_record(record);
    const bool is_ipv4 = (before.layers & NFBUS_LAYER_IPV4) != 0;
    const std::size_t addresses = is_ipv4 ? 12 : 8;
    const std::size_t address_bytes = is_ipv4 ? 8 : 32;
    const std::vector<std::uint8_t> mask(address_bytes, 0xa5);
    Event event = before;
    ASSERT_TRUE(rewrite(event, NFBUS_PART_PAYLOAD, addresses, mask, room_)) << packet.name;
    EXPECT_TRUE(network_checksum_is_right(event)) << packet.name;
    EXPECT_TRUE(transport_checksum_is_right(event)) << packet.name;
    EXPECT_EQ(std::memcmp(event.payload.data + addresses, mask.data(), mask.size()), 0) << packet.name;
    if (before.data_offset < before.payload.size) {
      for (std::size_t at = before.data_offset; at < before.payload.size; ++at) {
        const std::uint8_t byte[] = {static_cast<std::uint8_t>(at * 37U)};
        ASSERT_TRUE(rewrite(event, NFBUS_PART_PAYLOAD, at, byte, room_)) << packet.name;
        EXPECT_TRUE(transport_checksum_is_right(event)) << packet.name << " at " << at;
      }
    }
    ++tried;
  }
  EXPECT_GT(tried, 5U) << "too few fixtures are whole";
}

TEST_F(Edits, CountBytesBehindThePacketForNoChecksum) {
  const test::Packet packet = test::load_packet(NFBUS_TEST_DATA, "ipv4_tcp_padding");
  Event event = test::decode_record(packet.record);
  const std::vector<std::uint8_t> before(event.payload.data, event.payload.data + event.payload.size);
  const std::uint8_t byte[] = {0x77};
  ASSERT_TRUE(rewrite(event, NFBUS_PART_PAYLOAD, before.size() - 1, byte, room_));
  EXPECT_EQ(std::memcmp(event.payload.data, before.data(), before.size() - 1), 0);
}

TEST_F(Edits, ShowTheNewBytesEverywhereAndLeaveTheOldRecordAlone) {
  const test::Packet packet = test::load_packet(NFBUS_TEST_DATA, "ipv4_tcp_syn");
  const std::vector<std::uint8_t> before(packet.record.begin(), packet.record.end());
  Event event = test::decode_record(packet.record);
  const std::uint8_t port[] = {0x12, 0x34};
  ASSERT_TRUE(rewrite(event, NFBUS_PART_PAYLOAD, event.transport_offset, port, room_));
  EXPECT_EQ(event.source_port, 0x1234);
  EXPECT_EQ(std::vector<std::uint8_t>(packet.record.begin(), packet.record.end()), before);
  Event again{};
  ASSERT_TRUE(read_record({event.record.data, event.record.size}, again));
  decode_packet(again);
  EXPECT_EQ(again.source_port, 0x1234) << "the record says the same";
  EXPECT_EQ(event.record.size, before.size());
}

TEST_F(Edits, CutAPayloadAndKeepItsLengthOnTheWire) {
  for (const test::Packet& packet : packets_) {
    const Event before = test::decode_record(packet.record);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{22}, before.payload.size + 1}) {
      Event event = before;
      ASSERT_TRUE(cut(event, size, room_));
      const std::size_t kept = std::min(size, before.payload.size);
      EXPECT_EQ(event.payload.size, kept) << packet.name;
      EXPECT_EQ(event.packet_size, before.packet_size) << packet.name;
      EXPECT_TRUE(kept == 0 || std::memcmp(event.payload.data, before.payload.data, kept) == 0) << packet.name;
      EXPECT_EQ(event.mark, before.mark) << packet.name;
      EXPECT_EQ(event.sequence, before.sequence) << packet.name;
      EXPECT_EQ(view(event.prefix), view(before.prefix)) << packet.name;
      Event again{};
      static_cast<void>(read_record({event.record.data, event.record.size}, again));
      decode_packet(again);
      EXPECT_EQ(again.payload.size, kept) << packet.name << ": the record is as valid as it was";
    }
  }
}

TEST_F(Edits, MaskTheAddressesOfABridgesFrameInBothPlaces) {
  for (const test::Packet& packet : packets_) {
    Event event = test::decode_record(packet.record);
    if (event.hw_header.size < 14) continue;
    const std::array<std::uint8_t, 12> none{};
    ASSERT_TRUE(rewrite(event, NFBUS_PART_HW_HEADER, 0, none, room_)) << packet.name;
    const Bytes l2 = find_attribute({event.record.data, event.record.size}, NFULA_L2HDR);
    if (!l2.empty()) {
      EXPECT_EQ(std::memcmp(l2.data(), none.data(), none.size()), 0) << packet.name;
    }
    EXPECT_EQ(std::memcmp(event.hw_header.data, none.data(), none.size()), 0) << packet.name;
  }
}

TEST_F(Edits, LeaveNothingOfThePacketInWhatIsNoHeader) {
  for (const char* name :
       {"link_tun_in_postrouting", "link_vxlan_in_postrouting", "link_pppoe_over_bridge", "link_ppp"}) {
    const test::Packet packet = test::load_packet(NFBUS_TEST_DATA, name);
    const std::array<std::uint8_t, 8> masked{};
    Event rewritten = test::decode_record(packet.record);
    ASSERT_TRUE(rewrite(rewritten, NFBUS_PART_PAYLOAD, 12, masked, room_));
    Event shortened = test::decode_record(packet.record);
    ASSERT_TRUE(cut(shortened, 20, room_));
    for (const Event& event : {rewritten, shortened}) {
      const Bytes record(event.record.data, event.record.size);
      EXPECT_TRUE(find_attribute(record, NFULA_HWHEADER).empty()) << name;
      EXPECT_TRUE(find_attribute(record, NFULA_HWADDR).empty()) << name;
      EXPECT_EQ(event.hw_header.size, 0U) << name;
      EXPECT_NE(event.layers & NFBUS_LAYER_IPV4, 0U) << name;
    }
  }
}

TEST_F(Edits, RefuseWhatLiesOutsideOfThePart) {
  Event event = test::decode_record(packets_.front().record);
  const Event before = event;
  const std::uint8_t two[] = {1, 2};
  EXPECT_FALSE(rewrite(event, NFBUS_PART_PAYLOAD, event.payload.size - 1, two, room_));
  EXPECT_FALSE(rewrite(event, NFBUS_PART_PAYLOAD, ~std::size_t{0}, two, room_));
  EXPECT_FALSE(rewrite(event, 0, 0, two, room_));
  EXPECT_FALSE(rewrite(event, 4, 0, two, room_));
  EXPECT_EQ(event.payload.data, before.payload.data);
  Event message{};
  message.kind = NFBUS_EVENT_MESSAGE;
  EXPECT_FALSE(rewrite(message, NFBUS_PART_PAYLOAD, 0, {}, room_));
  EXPECT_FALSE(cut(message, 0, room_));
}

nfbus_field field(std::string_view name, std::string_view value, std::uint32_t type) {
  return {.name = text(name), .value = text(value), .type = type, .reserved = 0};
}

TEST_F(Edits, AnnotateWithinTheLimitsAndWithValuesOfTheirType) {
  Event event{};
  const auto add = [&](std::string_view name, std::string_view value, std::uint32_t type) {
    return annotate(event, field(name, value, type), room_);
  };
  EXPECT_TRUE(add("a", "text \xff of any bytes", NFBUS_VALUE_TEXT));
  EXPECT_TRUE(add("i", "-42", NFBUS_VALUE_INTEGER));
  EXPECT_TRUE(add("n", "1.5e3", NFBUS_VALUE_NUMBER));
  EXPECT_TRUE(add("b", "false", NFBUS_VALUE_BOOLEAN));
  EXPECT_TRUE(add("4", "192.0.2.1", NFBUS_VALUE_ADDRESS));
  EXPECT_TRUE(add("6", "2001:db8::1", NFBUS_VALUE_ADDRESS));
  EXPECT_TRUE(add("j", R"({"a": [1, null]})", NFBUS_VALUE_JSON));
  EXPECT_EQ(event.field_count, 7U);
  EXPECT_TRUE(add("a", "again", NFBUS_VALUE_TEXT));
  EXPECT_EQ(event.field_count, 7U);
  EXPECT_EQ(view(event.fields[0].value), "again");
  for (const auto& [value, type] :
       {std::pair("1.5", NFBUS_VALUE_INTEGER), std::pair("01", NFBUS_VALUE_INTEGER), std::pair("", NFBUS_VALUE_INTEGER),
        std::pair("nan", NFBUS_VALUE_NUMBER), std::pair("True", NFBUS_VALUE_BOOLEAN),
        std::pair("192.0.2.256", NFBUS_VALUE_ADDRESS), std::pair("{", NFBUS_VALUE_JSON),
        std::pair("[1,\n2]", NFBUS_VALUE_JSON), std::pair("x", NFBUS_VALUE_ARRAY), std::pair("x", 0U)}) {
    EXPECT_FALSE(add("z", value, type)) << value;
  }
  EXPECT_FALSE(add("", "x", NFBUS_VALUE_TEXT));
  EXPECT_TRUE(add(std::string(NFBUS_MAX_FIELD_NAME, 'n'), std::string(NFBUS_MAX_FIELD_VALUE, 'v'), NFBUS_VALUE_TEXT));
  EXPECT_FALSE(add(std::string(NFBUS_MAX_FIELD_NAME + 1, 'n'), "v", NFBUS_VALUE_TEXT));
  EXPECT_FALSE(add("v", std::string(NFBUS_MAX_FIELD_VALUE + 1, 'v'), NFBUS_VALUE_TEXT));
  while (event.field_count < NFBUS_MAX_FIELDS) add(std::to_string(event.field_count), "x", NFBUS_VALUE_TEXT);
  EXPECT_FALSE(add("one more", "x", NFBUS_VALUE_TEXT));
  EXPECT_TRUE(add("a", "another for the first", NFBUS_VALUE_TEXT));
}

TEST_F(Edits, GiveATopicThatOthersCouldPublish) {
  Event event{};
  for (const std::string& wrong : {std::string(), std::string("nfbus:status"), std::string("a\nb"), std::string("\xff"),
                                   std::string(NFBUS_MAX_TOPIC + 1, 't')}) {
    EXPECT_FALSE(set_topic(event, wrong, room_)) << wrong;
  }
  EXPECT_TRUE(set_topic(event, "nft:drop:wan", room_));
  EXPECT_EQ(view(event.topic), "nft:drop:wan");
}

}  // namespace
}  // namespace nfbus::host
