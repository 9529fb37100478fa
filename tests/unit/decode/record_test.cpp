#include "decode/decode.hpp"

#include "packets.hpp"

#include <gtest/gtest.h>

#include <linux/netfilter.h>

#include <string>

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

TEST(ReadRecord, KeepsWhatCameBeforeABrokenAttribute) {
  const Read read("record_attribute_below_header");
  EXPECT_TRUE(read.ok);
  EXPECT_EQ(read.event.sequence, 9U);
  EXPECT_EQ(read.event.payload.size, 0U);  // came after it
  EXPECT_EQ(view(read.event.decode_error), "NFLOG: mark attribute cut short");
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
