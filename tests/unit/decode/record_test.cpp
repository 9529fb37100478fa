#include "decode/decode.hpp"

#include "check_event.hpp"
#include "packets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

// A record and the event that was read from it.
class Read {
 public:
  explicit Read(const std::string& name) : packet_(test::load_packet(NFBUS_TEST_DATA, name)) {
    event.struct_size = sizeof(nfbus_event);
    ok = read_record(packet_.record, event);
  }

  Event event{};
  bool ok = false;

 private:
  test::Packet packet_;
};

TEST(ReadRecord, GivesEveryValueOfTheKernel) {
  const Read read("record_all_attributes");
  const Event& event = read.event;
  EXPECT_TRUE(read.ok);
  EXPECT_EQ(event.kind, NFBUS_EVENT_PACKET);
  EXPECT_EQ(event.family, NFPROTO_BRIDGE);
  EXPECT_EQ(event.group, 65535);
  EXPECT_EQ(event.hook, 4);
  EXPECT_EQ(event.ether_type, 0x0800);
  EXPECT_EQ(view(event.prefix), "All: ");
  EXPECT_EQ(event.mark, 0xdeadbeef);
  EXPECT_EQ(event.time_ns, 1'700'000'000'999'999'000);
  EXPECT_EQ(event.in_index, 1U);
  EXPECT_EQ(event.out_index, 2U);
  EXPECT_EQ(event.phys_in_index, 3U);
  EXPECT_EQ(event.phys_out_index, 4U);
  EXPECT_EQ(event.uid, 1000U);
  EXPECT_EQ(event.gid, 100U);
  EXPECT_EQ(event.sequence, 0xffffffff);
  EXPECT_EQ(event.hw_type, 1);
  EXPECT_EQ(event.hw_header.size, 14U);
  EXPECT_EQ(event.vlan_tci, 1);
  EXPECT_EQ(event.vlan_protocol, 0x8100);
  constexpr std::uint32_t kAllButPorts = NFBUS_HAS_KERNEL_TIME | NFBUS_HAS_MARK | NFBUS_HAS_UID | NFBUS_HAS_GID |
                                         NFBUS_HAS_SEQUENCE | NFBUS_HAS_IN | NFBUS_HAS_OUT | NFBUS_HAS_HW_TYPE |
                                         NFBUS_HAS_PHYS_IN | NFBUS_HAS_PHYS_OUT;
  EXPECT_EQ(event.present, kAllButPorts);
  EXPECT_EQ(event.decode_error.size, 0U);
}

TEST(ReadRecord, LeavesOutWhatTheKernelDidNotGive) {
  const Read read("record_no_packet_header_ipv4");
  EXPECT_EQ(read.event.present, 0U);
  EXPECT_EQ(read.event.prefix.size, 0U);
  EXPECT_EQ(read.event.hw_header.size, 0U);
  EXPECT_EQ(read.event.time_ns, 0);
}

TEST(ReadRecord, KeepsTheRawBytes) {
  const test::Packet packet = test::load_packet(NFBUS_TEST_DATA, "ipv4_tcp_syn");
  Event event{};
  EXPECT_TRUE(read_record(packet.record, event));
  EXPECT_EQ(event.record.data, packet.record.data());
  EXPECT_EQ(event.record.size, packet.record.size());
}

TEST(ReadRecord, DoesNotTakePaddingForPayload) {
  const Read read("ipv4_tcp_data");
  EXPECT_EQ(read.event.payload.size, 58U);  // 20 + 20 + 18: padded to 60 in the record
}

TEST(ReadRecord, ReadsASocketOwnerAndNoTimeOnOutput) {
  const Read read("ipv4_output");
  EXPECT_EQ(read.event.uid, 1000U);
  EXPECT_EQ(read.event.gid, 100U);
  EXPECT_EQ(read.event.present & (NFBUS_HAS_UID | NFBUS_HAS_GID | NFBUS_HAS_KERNEL_TIME | NFBUS_HAS_IN),
            NFBUS_HAS_UID | NFBUS_HAS_GID);
}

TEST(ReadRecord, EndsThePrefixAtItsNulOrAtTheAttributesEnd) {
  EXPECT_EQ(view(Read("ipv4_tcp_syn").event.prefix), "wan:out ");
  EXPECT_EQ(view(Read("record_prefix_without_nul").event.prefix), "lan:in");
  EXPECT_EQ(view(Read("record_prefix_empty").event.prefix), "");
}

TEST(ReadRecord, ReadsPrefixesOfUpTo127Bytes) {
  EXPECT_EQ(view(Read("record_prefix_longest").event.prefix), std::string(127, 'p'));
  EXPECT_EQ(view(Read("record_prefix_too_long").event.prefix), std::string(127, 'q'));
}

TEST(ReadRecord, GuessesTheEtherTypeWithoutAPacketHeader) {
  EXPECT_EQ(Read("record_no_packet_header_ipv4").event.ether_type, 0x0800);
  EXPECT_EQ(Read("record_no_packet_header_ipv6").event.ether_type, 0x86dd);
  EXPECT_EQ(Read("record_no_packet_header_arp").event.ether_type, 0x0806);
  EXPECT_EQ(Read("record_no_packet_header_inet4").event.ether_type, 0x0800);
  EXPECT_EQ(Read("record_no_packet_header_inet6").event.ether_type, 0x86dd);
  EXPECT_EQ(Read("record_no_packet_header_unknown").event.ether_type, 0);
}

TEST(ReadRecord, RefusesWhatIsTooShortForItsHeader) {
  const Read read("record_header_cut");
  EXPECT_FALSE(read.ok);
  EXPECT_EQ(read.event.record.size, 3U);
  EXPECT_EQ(view(read.event.decode_error), "NFLOG: record header cut short");
  EXPECT_EQ(read.event.kind, NFBUS_EVENT_PACKET);  // it is still an event, for all who take packets
  EXPECT_FALSE(Read("record_empty").ok);
}

TEST(ReadRecord, LosesABrokenAttributeAlone) {
  const Read read("record_attribute_below_header");
  EXPECT_TRUE(read.ok);
  EXPECT_EQ(read.event.sequence, 9U);
  EXPECT_EQ(read.event.payload.size, 40U);  // came after it
  EXPECT_EQ(view(read.event.decode_error), "NFLOG: mark attribute cut short");
}

// An attribute as it stands in a record, with any length.
std::vector<std::uint8_t> attribute(std::uint16_t type, std::vector<std::uint8_t> value, std::size_t length) {
  const nlattr header{.nla_len = static_cast<std::uint16_t>(length), .nla_type = type};
  std::vector<std::uint8_t> bytes(NLA_HDRLEN + value.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(value.begin(), value.end(), bytes.begin() + NLA_HDRLEN);
  bytes.resize(NLA_ALIGN(bytes.size()));
  return bytes;
}

std::vector<std::uint8_t> attribute(std::uint16_t type, const std::vector<std::uint8_t>& value) {
  return attribute(type, value, NLA_HDRLEN + value.size());
}

std::vector<std::uint8_t> record_of(std::initializer_list<std::vector<std::uint8_t>> attributes) {
  std::vector<std::uint8_t> record = {AF_INET, 0, 0, 0};
  for (const auto& one : attributes) record.insert(record.end(), one.begin(), one.end());
  return record;
}

TEST(ReadRecord, ReadsWhatStandsBehindAnAttributeThatIsTooShortOrOfImpossibleLength) {
  const std::vector<std::uint8_t> prefix = {'l', 'a', 'n', ' ', 0};
  const std::vector<std::uint8_t> payload = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 7};
  for (const std::uint16_t type : {NFULA_PACKET_HDR, NFULA_MARK, NFULA_TIMESTAMP, NFULA_IFINDEX_INDEV, NFULA_UID,
                                   NFULA_SEQ, NFULA_GID, NFULA_HWTYPE, NFULA_HWADDR, NFULA_VLAN}) {
    const std::vector<std::vector<std::uint8_t>> broken = {
        attribute(type, {9}), attribute(type, {1, 2, 3, 4, 5, 6, 7, 8}, 0), attribute(type, {1, 2, 3, 4}, 2),
        attribute(type, {1, 2, 3, 4}, 0xffff), attribute(type, {0, 0, 0, 0}, 9999)};
    for (const auto& bad : broken) {
      const auto record = record_of({bad, attribute(NFULA_PREFIX, prefix), attribute(NFULA_PAYLOAD, payload)});
      const Event event = test::decode_record(record);
      EXPECT_EQ(view(event.prefix), "lan ") << type;
      EXPECT_EQ(event.payload.size, payload.size()) << type;
      EXPECT_NE(event.layers & NFBUS_LAYER_IPV4, 0U) << type;
      EXPECT_THAT(std::string(view(event.decode_error)), testing::StartsWith("NFLOG: ")) << type;
    }
  }
}

TEST(ReadRecord, ATimeThatCannotBeShownCostsNothingElse) {
  const std::vector<std::uint8_t> payload = {0x45};
  for (const int byte : {0x7f, 0x80, 0xff}) {
    std::vector<std::uint8_t> time(16);
    time[0] = static_cast<std::uint8_t>(byte);  // of seconds in network order
    const auto record = record_of(
        {attribute(NFULA_TIMESTAMP, time), attribute(NFULA_PREFIX, {'x', 0}), attribute(NFULA_PAYLOAD, payload)});
    const Event event = test::decode_record(record);
    EXPECT_EQ(event.present & NFBUS_HAS_KERNEL_TIME, 0U);
    EXPECT_EQ(view(event.prefix), "x");
    EXPECT_EQ(event.payload.size, 1U);
  }
  std::vector<std::uint8_t> in_2200 = {0, 0, 0, 1, 0xb0, 0x9e, 0xef, 0, 0, 0, 0, 0, 0, 0, 0, 5};
  const auto record = record_of({attribute(NFULA_TIMESTAMP, in_2200)});
  const Event event = test::decode_record(record);
  EXPECT_EQ(event.time_ns, 0x1b09eef00 * 1'000'000'000 + 5000);
}

TEST(ReadRecord, LooksForAttributesBehindABrokenOneForABoundedTime) {
  std::vector<std::uint8_t> record = record_of({attribute(NFULA_MARK, {}, 0xffff)});
  // Good attributes in any number, then one that is not, so that no place is a begin.
  for (int i = 0; i < 15000; ++i) {
    const auto one = attribute(NFULA_HWLEN, {});
    record.insert(record.end(), one.begin(), one.end());
  }
  record.insert(record.end(), {9, 0, 1});
  EXPECT_EQ(view(test::decode_record(record).decode_error), "NFLOG: mark attribute cut short");
}

TEST(ReadRecord, KeepsThePartOfAPayloadThatWasCaptured) {
  const Read read("record_payload_beyond_end");
  EXPECT_EQ(read.event.payload.size, 39U);
}

TEST(ReadRecord, DoesNotUseAValueThatIsTooShort) {
  for (const char* name : {"record_short_mark", "record_short_uid", "record_short_gid", "record_short_seq",
                           "record_short_indev", "record_short_outdev", "record_short_physin", "record_short_physout",
                           "record_short_hwtype", "record_short_timestamp", "record_time_out_of_range"}) {
    const Read read(name);
    EXPECT_EQ(read.event.present, 0U) << name;
    EXPECT_NE(read.event.payload.size, 0U) << name;
  }
}

TEST(ReadRecord, UsesTheLinkLayerHeaderWhereThereIsNoHardwareHeader) {
  const Read read("bridge_output");
  EXPECT_EQ(read.event.present & NFBUS_HAS_HW_TYPE, 0U);
  EXPECT_EQ(read.event.hw_header.size, 14U);
}

TEST(ReadRecord, FindsAVlanTagInTheLinkLayerHeader) {
  const Read read("netdev_vlan_in_frame");
  EXPECT_EQ(read.event.vlan_tci, 7);
  EXPECT_EQ(read.event.vlan_protocol, 0x8100);
  EXPECT_EQ(read.event.hw_header.size, 14U);
}

}  // namespace
}  // namespace nfbus::host
