#include "capture/frame.hpp"

#include "capture/messages.hpp"
#include "decode/decode.hpp"
#include "decode/headers.hpp"

#include <net/if_arp.h>

#include <pcap/dlt.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using ::testing::HasSubstr;

const std::string kUdp4("\x45\0\0\x1c\0\1\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2\x30\x39\0\x35\0\x08\0\0", 28);
const std::string kUdp6 = std::string("\x60\0\0\0\0\x08\x11\x40", 8) + std::string(15, '\0') + '\1' +
                          std::string(15, '\0') + '\2' + std::string("\x30\x39\0\x35\0\x08\0\0", 8);
const std::string kAddresses("\2\0\0\0\0\1\2\0\0\0\0\2", 12);

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

// A frame's message, and the event that it becomes.
class Shown {
 public:
  Shown(int dlt, const std::string& frame, CapturedFrame about = {}) : frame_(frame) {
    about.layer = link_layer(dlt).value();
    about.bytes = {reinterpret_cast<const std::uint8_t*>(frame_.data()), frame_.size()};
    room_.resize(frame_.size() + kMessageOverheadBytes);
    used = write_message(about, room_);
    const Datagram datagram(room_.data(), used);
    MessageCursor cursor(std::span(&datagram, 1));
    const Record record = cursor.next();
    event.struct_size = sizeof(nfbus_event);
    read = record.data() != nullptr && read_record(record, event);
    decode_packet(event);
    alone = cursor.next().data() == nullptr && cursor.broken() == 0;
  }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
  ~Shown() = default;

  [[nodiscard]] std::string payload() const {
    return {reinterpret_cast<const char*>(event.payload.data), event.payload.size};
  }
  [[nodiscard]] std::string l2_header() const {
    const Bytes value = find_attribute(to_bytes(event.record), NFULA_L2HDR);
    return {reinterpret_cast<const char*>(value.data()), value.size()};
  }

  Event event{};
  std::size_t used = 0;
  bool read = false;
  bool alone = false;

 private:
  std::string frame_;
  std::vector<std::uint8_t> room_;
};

void expect_udp(const Shown& shown, std::uint32_t layer, const std::string& what) {
  EXPECT_TRUE(shown.read && shown.alone) << what;
  EXPECT_EQ(shown.event.layers & (NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6), layer) << what;
  EXPECT_EQ(shown.event.destination_port, 53) << what;
  EXPECT_EQ(view(shown.event.decode_error), "") << what;
  EXPECT_EQ(shown.payload(), layer == NFBUS_LAYER_IPV4 ? kUdp4 : kUdp6) << what;
}

// Whatever it is, it is an event, and nothing is made up of it.
void expect_undecoded(const Shown& shown, const std::string& what) {
  EXPECT_TRUE(shown.read && shown.alone) << what;
  EXPECT_EQ(shown.event.layers & (NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6 | NFBUS_LAYER_ARP), 0U) << what;
  EXPECT_EQ(shown.event.present & NFBUS_HAS_PORTS, 0U) << what;
  EXPECT_EQ(view(shown.event.decode_error), "") << what;
}

TEST(LinkLayers, NumbersOfFilesAndOfLibpcapAreKnownAndHaveNames) {
  for (const int raw : {12, 14, 101, 228, 229}) EXPECT_EQ(link_layer(raw), LinkLayer::raw_ip) << raw;
  for (const int known : {0, 1, 9, 50, 51, 104, 108, 113, 166, 204, 239, 276}) EXPECT_TRUE(link_layer(known)) << known;
  for (const int unknown : {-1, 2, 105, 127, 220, 65535}) EXPECT_FALSE(link_layer(unknown)) << unknown;
  for (const char* const name : {"RAW", "EN10MB", "LINUX_SLL2", "NFLOG", "NULL", "LOOP", "PPP_SERIAL", "C_HDLC"}) {
    EXPECT_THAT(std::string(known_link_layers()), HasSubstr(name));
  }
}

TEST(NullFrames, TheFamilyIsReadInBothByteOrdersAndOfAllBsds) {
  expect_udp({DLT_NULL, bytes({2, 0, 0, 0}) + kUdp4}, NFBUS_LAYER_IPV4, "little");
  expect_udp({DLT_NULL, bytes({0, 0, 0, 2}) + kUdp4}, NFBUS_LAYER_IPV4, "big");
  for (const int family : {24, 28, 30}) {
    expect_udp({DLT_NULL, bytes({family, 0, 0, 0}) + kUdp6}, NFBUS_LAYER_IPV6, "little");
    expect_udp({DLT_NULL, bytes({0, 0, 0, family}) + kUdp6}, NFBUS_LAYER_IPV6, "big");
    expect_udp({DLT_LOOP, bytes({0, 0, 0, family}) + kUdp6}, NFBUS_LAYER_IPV6, "loop");
  }
  expect_udp({DLT_LOOP, bytes({0, 0, 0, 2}) + kUdp4}, NFBUS_LAYER_IPV4, "loop");
}

TEST(NullFrames, WhatIsOfAnotherFamilyIsNotTakenForIp) {
  expect_undecoded({DLT_NULL, bytes({7, 0, 0, 0}) + kUdp4}, "family 7");
  expect_undecoded({DLT_NULL, bytes({1, 2, 3, 4}) + kUdp6}, "no family");
  expect_undecoded({DLT_LOOP, bytes({2, 0, 0, 0}) + kUdp4}, "the other order");
}

TEST(PppFrames, WithAndWithoutAddressAndControlAndWithACompressedProtocol) {
  for (const int dlt : {DLT_PPP, DLT_PPP_SERIAL}) {
    expect_udp({dlt, bytes({0xff, 3, 0, 0x21}) + kUdp4}, NFBUS_LAYER_IPV4, "ff 03");
    expect_udp({dlt, bytes({0xff, 3, 0x21}) + kUdp4}, NFBUS_LAYER_IPV4, "ff 03, compressed");
    expect_udp({dlt, bytes({0, 0x57}) + kUdp6}, NFBUS_LAYER_IPV6, "no address");
    expect_udp({dlt, bytes({0x57}) + kUdp6}, NFBUS_LAYER_IPV6, "no address, compressed");
    expect_udp({dlt, bytes({0x0f, 0, 8, 0}) + kUdp4}, NFBUS_LAYER_IPV4, "Cisco's");
  }
  expect_udp({DLT_C_HDLC, bytes({0x8f, 0, 0x86, 0xdd}) + kUdp6}, NFBUS_LAYER_IPV6, "Cisco's");
  EXPECT_EQ(Shown(DLT_PPP, bytes({0x21}) + kUdp4).event.hw_type, ARPHRD_PPP);
}

TEST(PppFrames, TheDirectionOfPppdIsTold) {
  for (const int dlt : {DLT_PPP_PPPD, DLT_PPP_WITH_DIR}) {
    for (const std::string& header :
         {bytes({3, 0, 0x21}), bytes({0xff, 3, 0, 0x21}), bytes({0, 0x21}), bytes({0x21})}) {
      const Shown in(dlt, '\0' + header + kUdp4, {.interface_index = 7});
      expect_udp(in, NFBUS_LAYER_IPV4, "in");
      EXPECT_EQ(in.event.in_index, 7U);
      EXPECT_EQ(in.event.present & NFBUS_HAS_OUT, 0U);
      const Shown out(dlt, '\1' + header + kUdp4, {.interface_index = 7});
      expect_udp(out, NFBUS_LAYER_IPV4, "out");
      EXPECT_EQ(out.event.out_index, 7U);
      EXPECT_EQ(out.event.present & NFBUS_HAS_IN, 0U);
    }
  }
}

TEST(PppFrames, WhatIsNoIpKeepsItsBytesAndIsNotTakenForIp) {
  const std::string lcp = bytes({0xc0, 0x21, 1, 1, 0, 4});
  const Shown shown(DLT_PPP, bytes({0xff, 3}) + lcp);
  expect_undecoded(shown, "LCP");
  EXPECT_EQ(shown.payload(), lcp);
  // Van Jacobson's compressed TCP, and what looks like IP by its first byte.
  expect_undecoded({DLT_PPP, bytes({0, 0x2d}) + kUdp4}, "VJ");
  expect_undecoded({DLT_PPP_SERIAL, kUdp4}, "an IP header");
}

TEST(PppoeFrames, ASessionsIpIsDecodedAndAllElseIsPppoe) {
  const std::string session = bytes({0x11, 0, 0, 1, 0, 30});
  expect_udp({DLT_PPP_ETHER, session + bytes({0, 0x21}) + kUdp4}, NFBUS_LAYER_IPV4, "session");
  expect_udp({DLT_PPP_ETHER, session + bytes({0, 0x57}) + kUdp6}, NFBUS_LAYER_IPV6, "session");
  const std::string lcp = session + bytes({0xc0, 0x21, 1, 1, 0, 4});
  const Shown shown(DLT_PPP_ETHER, lcp);
  expect_undecoded(shown, "LCP");
  EXPECT_EQ(shown.event.ether_type, 0x8864);
  EXPECT_EQ(shown.payload(), lcp);
  const Shown discovery(DLT_PPP_ETHER, bytes({0x11, 9, 0, 0, 0, 0}));
  expect_undecoded(discovery, "PADI");
  EXPECT_EQ(discovery.event.ether_type, 0x8863);
}

TEST(EthernetFrames, SeveralTagsAreToldWholeAndDecodedThrough) {
  const std::vector<std::string> tags{
      bytes({0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 6}), bytes({0x81, 0, 0, 5, 0x81, 0, 0, 6}),
      bytes({0x91, 0, 0, 5, 0x88, 0xa8, 0, 6, 0x81, 0, 0, 7}), bytes({0x81, 0, 0, 5, 0x91, 0, 0, 6})};
  for (const std::string& tag : tags) {
    const std::string l2 = kAddresses + tag + bytes({8, 0});
    const Shown shown(DLT_EN10MB, l2 + kUdp4);
    expect_udp(shown, NFBUS_LAYER_IPV4, "tags");
    EXPECT_EQ(shown.l2_header(), l2);
    EXPECT_EQ(shown.event.vlan_tci, 5);
    EXPECT_EQ(shown.event.vlan_protocol, load_be16(to_bytes(shown.event.hw_header).subspan(12).first<2>()));
    EXPECT_TRUE(shown.event.layers & NFBUS_LAYER_ETHERNET);
    EXPECT_EQ(shown.event.family, AF_INET);
  }
}

TEST(EthernetFrames, OneTagIsToldAsANetworkCardTellsIt) {
  for (const std::string& type : {bytes({0x81, 0}), bytes({0x88, 0xa8}), bytes({0x91, 0})}) {
    const Shown shown(DLT_EN10MB, kAddresses + type + bytes({0x20, 7, 0x86, 0xdd}) + kUdp6);
    expect_udp(shown, NFBUS_LAYER_IPV6, "a tag");
    EXPECT_EQ(shown.event.vlan_tci, 0x2007);
    EXPECT_EQ(shown.event.vlan_protocol, (type[0] == '\x81' ? 0x8100 : type[0] == '\x88' ? 0x88a8 : 0x9100));
    EXPECT_EQ(shown.l2_header(), "");
    EXPECT_EQ(shown.event.family, AF_INET6);
  }
}

TEST(EthernetFrames, MoreTagsThanAnybodyNeedsAreDecodedThroughAndNotLost) {
  std::string frame = kAddresses;
  for (int i = 0; i < 400; ++i) frame += bytes({0x81, 0, 0, i & 0x7f});
  frame += bytes({8, 0}) + kUdp4;
  const Shown shown(DLT_EN10MB, frame);
  expect_udp(shown, NFBUS_LAYER_IPV4, "400 tags");
  EXPECT_EQ(shown.event.vlan_tci, 0);
  const Bytes value = find_attribute(to_bytes(shown.event.record), NFULA_PAYLOAD);
  EXPECT_EQ(shown.l2_header() + std::string(reinterpret_cast<const char*>(value.data()), value.size()), frame);
}

TEST(EthernetFrames, ATagThatIsCutShortIsAnErrorAndKeepsTheOuterOne) {
  const Shown one(DLT_EN10MB, kAddresses + bytes({0x81, 0, 0}));
  EXPECT_EQ(view(one.event.decode_error), "VLAN: tag cut short");
  EXPECT_FALSE(one.event.layers & NFBUS_LAYER_VLAN);
  const Shown two(DLT_EN10MB, kAddresses + bytes({0x88, 0xa8, 0, 5, 0x81, 0, 0}));
  EXPECT_EQ(view(two.event.decode_error), "VLAN: tag cut short");
  EXPECT_EQ(two.event.vlan_tci, 5);
  EXPECT_EQ(two.l2_header().size(), 18U);
}

TEST(EthernetFrames, WhatHasNoTypeIsNotTakenForIp) {
  expect_undecoded({DLT_EN10MB, kAddresses + bytes({0, 0}) + kUdp4}, "type 0");
  expect_undecoded({DLT_EN10MB, kAddresses + bytes({0, 0}) + kUdp6}, "type 0");
  // IEEE 802.3: a length, and an LLC header that looks like IP.
  expect_undecoded({DLT_EN10MB, kAddresses + bytes({0, 28}) + kUdp4}, "length");
  expect_undecoded({DLT_EN10MB, kAddresses + bytes({0x81, 0, 0, 5, 0, 0}) + kUdp4}, "type 0 in a VLAN");
}

TEST(ShortFrames, AreEventsThatSayWhatIsMissing) {
  for (const int dlt : {0, 1, 9, 50, 51, 101, 104, 108, 113, 166, 204, 276}) {
    const Shown empty(dlt, "");
    EXPECT_TRUE(empty.read && empty.alone) << dlt;
    EXPECT_EQ(view(empty.event.decode_error), "link layer: no bytes captured behind its header") << dlt;
    EXPECT_EQ(empty.payload(), "");
  }
  for (std::size_t size = 1; size < 14; ++size) {
    const Shown shown(DLT_EN10MB, (kAddresses + bytes({8, 0})).substr(0, size));
    EXPECT_TRUE(shown.read);
    EXPECT_EQ(view(shown.event.decode_error), "Ethernet: header cut short");
    EXPECT_EQ(shown.event.layers, 0U);
  }
  for (const auto& [dlt, size] : {std::pair(DLT_NULL, 3), std::pair(DLT_LOOP, 3), std::pair(DLT_LINUX_SLL, 15),
                                  std::pair(DLT_LINUX_SLL2, 19), std::pair(DLT_C_HDLC, 3)}) {
    for (int have = 1; have <= size; ++have) {
      const Shown shown(dlt, std::string(static_cast<std::size_t>(have), '\2'));
      EXPECT_TRUE(shown.read);
      EXPECT_EQ(view(shown.event.decode_error), "link layer: no bytes captured behind its header") << dlt;
    }
  }
  const Shown nflog(DLT_NFLOG, "");
  EXPECT_FALSE(nflog.read);
  EXPECT_TRUE(nflog.alone);
  EXPECT_EQ(view(nflog.event.decode_error), "NFLOG: record header cut short");
  const Shown bare(DLT_EN10MB, kAddresses + bytes({8, 0}));
  EXPECT_EQ(view(bare.event.decode_error), "IPv4: header cut short");
}

TEST(CookedFrames, WhatLeftHasItsInterfaceAsTheOneItLeftBy) {
  const auto sll2 = [](int packet_type) {
    return bytes({8, 0, 0, 0, 0, 0, 0, 7, 0, 1, packet_type, 6, 2, 0, 0, 0, 0, 1, 0, 0}) + kUdp4;
  };
  for (const int packet_type : {0, 1, 2, 3}) {
    const Shown in(DLT_LINUX_SLL2, sll2(packet_type));
    expect_udp(in, NFBUS_LAYER_IPV4, "in");
    EXPECT_EQ(in.event.in_index, 7U);
    EXPECT_EQ(in.event.present & NFBUS_HAS_OUT, 0U);
    ASSERT_EQ(in.event.hw_address.size, 6U);
    EXPECT_EQ(in.event.hw_address.data[5], 1);
  }
  const Shown out(DLT_LINUX_SLL2, sll2(4));
  expect_udp(out, NFBUS_LAYER_IPV4, "out");
  EXPECT_EQ(out.event.out_index, 7U);
  EXPECT_EQ(out.event.present & NFBUS_HAS_IN, 0U);
  EXPECT_EQ(out.event.hw_address.size, 0U);

  const Shown old(DLT_LINUX_SLL, bytes({0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}) + kUdp4,
                  {.interface_index = 3});
  expect_udp(old, NFBUS_LAYER_IPV4, "out");
  EXPECT_EQ(old.event.out_index, 3U);
  EXPECT_EQ(old.event.present & NFBUS_HAS_IN, 0U);
}

TEST(CookedFrames, AnAddressOfAnImpossibleLengthIsWhatThereIsRoomFor) {
  const Shown shown(DLT_LINUX_SLL, bytes({0, 0, 0, 32, 255, 255, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0}) + kUdp4);
  expect_udp(shown, NFBUS_LAYER_IPV4, "InfiniBand");
  EXPECT_EQ(shown.event.hw_address.size, 8U);
}

TEST(CookedFrames, FramesWithoutAnEtherTypeAreNotTakenForIp) {
  for (const int protocol : {0, 1, 4}) {
    expect_undecoded({DLT_LINUX_SLL, bytes({0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, protocol}) + kUdp4}, "SLL");
    expect_undecoded(
        {DLT_LINUX_SLL2, bytes({0, protocol, 0, 0, 0, 0, 0, 7, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}) + kUdp6}, "SLL2");
  }
}

TEST(LargeFrames, EndWhereAnAttributeDoesAndKeepTheirLength) {
  std::string packet = kUdp4 + std::string(65535 - kUdp4.size(), 'x');
  packet[2] = packet[3] = '\xff';
  packet[24] = '\xff';
  packet[25] = '\xeb';  // the UDP length: 65535 - 20
  for (const std::string& header :
       {std::string(), kAddresses + bytes({8, 0}), kAddresses + bytes({0x81, 0, 0, 5, 0x81, 0, 0, 6, 8, 0})}) {
    const Shown shown(header.empty() ? DLT_RAW : DLT_EN10MB, header + packet);
    EXPECT_EQ(shown.event.payload.size, 65531U);
    EXPECT_EQ(shown.event.packet_size, 65535U);
    EXPECT_EQ(shown.event.destination_port, 53);
    EXPECT_EQ(view(shown.event.decode_error), "");
  }
}

TEST(LargeFrames, NoLinkHeaderNeedsMoreRoomThanIsSaid) {
  std::string frame = kAddresses;
  for (int i = 0; i < 40; ++i) frame += bytes({0x88, 0xa8, 0, 5});
  const std::string prefix(200, 'p');
  const Shown shown(DLT_EN10MB, frame, {.prefix = prefix, .interface_index = 1});
  EXPECT_LE(shown.used, frame.size() + kMessageOverheadBytes);
  EXPECT_TRUE(shown.alone);
}

}  // namespace
}  // namespace nfbus::host
