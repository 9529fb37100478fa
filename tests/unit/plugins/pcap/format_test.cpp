// What is in the files: pcapng's blocks, and the frames of each link type. Packets are the fixtures of tests/data.
#include "captures.hpp"
#include "check_event.hpp"
#include "comment.hpp"
#include "frame.hpp"
#include "packets.hpp"

#include <cstring>

namespace nfbus::test {
namespace {

using pcapsink::Frame;
using pcapsink::Link;
using pcapsink::make_frame;

// draft-ietf-opsawg-pcapng, section 3.1.
struct Block {
  std::uint32_t type = 0;
  std::string body;
  // Of the options from there on, the first of that code.
  [[nodiscard]] std::string option(std::size_t at, std::uint16_t code) const {
    while (at + 4 <= body.size()) {
      std::uint16_t head[2];
      std::memcpy(head, body.data() + at, sizeof head);
      if (head[0] == code) return body.substr(at + 4, head[1]);
      if (head[0] == 0) break;
      at += 4 + (head[1] + 3U) / 4 * 4;
    }
    return "none";
  }
};

std::vector<Block> blocks(const std::string& text) {
  std::vector<Block> out;
  for (std::size_t at = 0; at < text.size();) {
    std::uint32_t head[2];
    std::memcpy(head, text.data() + at, sizeof head);
    out.push_back({head[0], text.substr(at + 8, head[1] - 12)});
    at += head[1];
  }
  return out;
}

std::uint64_t number(const std::string& bytes) {
  std::uint64_t out = 0;
  std::memcpy(&out, bytes.data(), std::min(bytes.size(), sizeof out));
  return out;
}

std::string frame_of(const std::string& fixture, Link link) {
  const auto packet = read_packet(std::string(NFBUS_TEST_DATA) + "/packets/" + fixture + ".hex");
  const nfbus::host::Event event = decode_record(packet.record);
  Frame frame;
  if (const char* refusal = make_frame(event, link, frame)) return refusal;
  std::string out;
  for (std::size_t i = 0; i < frame.part_count; ++i) out.append(frame.parts[i].begin(), frame.parts[i].end());
  EXPECT_EQ(out.size(), frame.captured_bytes);
  return out;
}

std::string hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4U];
    out += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

TEST(PcapFrame, PutsVlanTagsBackWhereTheyWere) {
  const std::string macs = "020000000001020000000002";
  EXPECT_EQ(hex(frame_of("ipv4_tcp_syn", Link::ethernet)).substr(24, 6), "080045");
  // Taken out by the kernel; an inner one behind it; in the frame only; in the header only.
  EXPECT_EQ(hex(frame_of("bridge_vlan", Link::ethernet)).substr(0, 38), macs + "8100a064080045");
  EXPECT_EQ(hex(frame_of("bridge_two_vlan_tags", Link::ethernet)).substr(0, 46), macs + "88a800c881000064080045");
  EXPECT_EQ(hex(frame_of("bridge_vlan_in_payload", Link::ethernet)).substr(0, 38), macs + "8100006486dd62");
  EXPECT_EQ(hex(frame_of("netdev_vlan_in_frame", Link::ethernet)).substr(0, 38), macs + "81000007080045");
}

TEST(PcapFrame, MakesNoHeaderUp) {
  EXPECT_THAT(frame_of("loopback", Link::ethernet), HasSubstr("without an Ethernet header"));
  EXPECT_THAT(frame_of("ipv4_output", Link::ethernet), HasSubstr("without an Ethernet header"));
  EXPECT_THAT(frame_of("ethernet_cut", Link::ethernet), HasSubstr("without an Ethernet header"));
  for (const char* name : {"link_tun_in_postrouting", "link_pppoe_over_bridge", "link_vxlan_in_postrouting",
                           "link_wireguard", "link_ppp"}) {
    EXPECT_THAT(frame_of(name, Link::ethernet), HasSubstr("without an Ethernet header")) << name;
  }
  EXPECT_THAT(frame_of("arp_request", Link::raw), HasSubstr("IP packets only"));
}

TEST(PcapFrame, AnNflogFrameIsTheKernelsMessageAndWholeWhateverWasCutInIt) {
  const auto packet = read_packet(std::string(NFBUS_TEST_DATA) + "/packets/ipv4_tcp_snaplen.hex");
  const nfbus::host::Event event = decode_record(packet.record);
  Frame frame;
  ASSERT_EQ(make_frame(event, Link::nflog, frame), nullptr);
  EXPECT_EQ(frame.captured_bytes, packet.record.size());
  ASSERT_GT(event.packet_size, event.payload.size);
  EXPECT_EQ(frame.original_bytes, packet.record.size());
  Frame raw;
  ASSERT_EQ(make_frame(event, Link::raw, raw), nullptr);
  EXPECT_EQ(raw.original_bytes, event.packet_size);
}

TEST(PcapComment, IsValidUtf8WhateverThePrefixIs) {
  nfbus_event event{};
  event.action = NFBUS_ACTION_BLOCKED;
  event.present = NFBUS_HAS_UID;
  event.uid = 1000;
  const auto comment = [&](std::string_view prefix) {
    event.prefix = {prefix.data(), prefix.size()};
    std::string out;
    pcapsink::add_comment(event, out);
    return out;
  };
  EXPECT_EQ(comment("drop:in "), R"(prefix="drop:in " action=blocked uid=1000)");
  EXPECT_EQ(comment(R"(a"b\)"), R"(prefix="a\"b\\" action=blocked uid=1000)");
  EXPECT_EQ(comment("\xc3\xa4\xff\xe2\x82"),
            "prefix=\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\" action=blocked uid=1000");
  event.action = NFBUS_ACTION_ALLOWED;
  event.present = 0;
  EXPECT_EQ(comment(""), R"(prefix="" action=allowed)");
}

TEST_F(PcapTest, PcapngHasAnInterfaceForEachGroupAndNameAndLossesInItsStatistics) {
  {
    SinkDriver sink(plugin(), options({{"/format", "pcapng"}}));
    ASSERT_TRUE(sink.open());
    Packets packets({"one", "two", "three", "four"});
    packets.event(1).in_name = NFBUS_TEXT("eth1");
    packets.event(2).group = 2;
    packets.event(3).in_name = {};
    packets.event(3).out_name = NFBUS_TEXT("eth1");
    packets.event(3).lost_before = 7;
    sink.write(packets);
    const auto now = blocks(read_file(file()));
    ASSERT_EQ(now.back().type, 5U) << "a loss is told at once";
    EXPECT_EQ(number(now.back().option(12, 7)), 7U);
  }
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("one", "two", "three", "four"));
  const auto all = blocks(read_file(file()));
  std::vector<std::string> interfaces;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> statistics(3);
  std::vector<std::uint64_t> packets;
  for (const Block& block : all) {
    if (block.type == 1) interfaces.push_back(block.option(8, 2) + '/' + block.option(8, 3));
    if (block.type == 6) packets.push_back(number(block.body.substr(0, 4)));
    if (block.type == 5) {
      statistics.at(number(block.body.substr(0, 4))) = {number(block.option(12, 4)), number(block.option(12, 5))};
    }
  }
  EXPECT_EQ(all.front().type, 0x0a0d0d0aU);
  EXPECT_THAT(interfaces, ElementsAre("eth0/NFLOG group 1", "eth1/NFLOG group 1", "eth0/NFLOG group 2"));
  EXPECT_THAT(packets, ElementsAre(0U, 1U, 2U, 1U));
  EXPECT_THAT(statistics, ElementsAre(std::pair(1U, 0U), std::pair(2U, 7U), std::pair(1U, 0U)));
}

TEST_F(PcapTest, TheClassicFormatEndsIn2106AndLosesNoPacketBehindThat) {
  {
    SinkDriver sink(plugin(), options({}));
    ASSERT_TRUE(sink.open());
    Packets packets({"one", "two"});
    packets.event(0).time_ns = 4'294'967'295'000'000'001;
    packets.event(1).time_ns = 7'258'118'400'000'000'000;
    ASSERT_EQ(sink.write(packets).status, NFBUS_OK);
  }
  const std::string bytes = read_file(file());
  ASSERT_EQ(bytes.size(), 24 + 2 * (16 + 3));
  EXPECT_EQ(number(bytes.substr(24, 4)), 4'294'967'295U);
  EXPECT_EQ(number(bytes.substr(28, 4)), 1U);
  EXPECT_EQ(number(bytes.substr(24 + 16 + 3, 4)), 4'294'967'295U);
  EXPECT_EQ(number(bytes.substr(28 + 16 + 3, 4)), 999'999'999U);
}

TEST_F(PcapTest, PcapngNamesTheBridgePortAndTellsTheBridge) {
  {
    SinkDriver sink(plugin(), options({{"/format", "pcapng"}}));
    ASSERT_TRUE(sink.open());
    Packets packets({"one", "two"});
    packets.event(0).in_name = NFBUS_TEXT("br0");
    const nfbus_ports first{.struct_size = sizeof first, .reserved = 0, .in_name = NFBUS_TEXT("port1"), .out_name = {}};
    packets.event(0).ports = &first;
    packets.event(1).in_name = {};
    packets.event(1).out_name = NFBUS_TEXT("br0");
    const nfbus_ports second{
        .struct_size = sizeof second, .reserved = 0, .in_name = {}, .out_name = NFBUS_TEXT("port2")};
    packets.event(1).ports = &second;
    sink.write(packets);
  }
  std::vector<std::string> interfaces;
  for (const Block& block : blocks(read_file(file()))) {
    if (block.type == 1) interfaces.push_back(block.option(8, 2) + '/' + block.option(8, 3));
  }
  EXPECT_THAT(interfaces, ElementsAre("port1/NFLOG group 1, port of br0", "port2/NFLOG group 1, port of br0"));
}

TEST_F(PcapTest, AContinuedPcapngFileHasASectionForEachStartAndLibpcapReadsAll) {
  for (const char* link : {"raw", "nflog", "ethernet"}) {
    const auto values = options({{"/format", "pcapng"}, {"/link", link}, {"/file", path(link).string()}});
    const std::string header(14, 'h');
    for (int start = 0; start < 3; ++start) {
      SinkDriver sink(plugin(), values);
      ASSERT_TRUE(sink.open());
      Packets packets({"one", "two"});
      packets.event(1).in_name = NFBUS_TEXT("eth1");
      for (std::size_t i = 0; i < 2; ++i) {
        packets.event(i).layers = NFBUS_LAYER_ETHERNET;
        packets.event(i).hw_header = {reinterpret_cast<const std::uint8_t*>(header.data()), header.size()};
      }
      ASSERT_EQ(sink.write(packets).status, NFBUS_OK);
    }
    const auto capture = read_capture(path(link));
    EXPECT_EQ(capture.error, "");
    EXPECT_EQ(capture.packets.size(), 6U);
    const auto all = blocks(read_file(path(link)));
    EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const Block& block) { return block.type == 0x0a0d0d0aU; }), 3);
  }
}

TEST_F(PcapTest, ACutPcapngFileIsContinuedAfterItsLastWholeBlock) {
  std::string whole;
  {
    SinkDriver sink(plugin(), options({{"/format", "pcapng"}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"one", "two"}));
    whole = read_file(file());
  }
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_file(file(), whole.substr(0, size));
    SinkDriver sink(plugin(), options({{"/format", "pcapng"}}));
    ASSERT_TRUE(sink.open());
    ASSERT_EQ(sink.write(Packets({"three"})).status, NFBUS_OK);
    const auto capture = read_capture(file());
    EXPECT_EQ(capture.error, "") << size;
    ASSERT_FALSE(capture.packets.empty()) << size;
    EXPECT_EQ(capture.packets.back().bytes, "three") << size;
    EXPECT_THAT(names(), ElementsAre("out.pcap")) << size;
  }
}

TEST_F(PcapTest, PcapngMayHaveRawPacketsBesideEthernet) {
  SinkDriver sink(plugin(), options({{"/format", "pcapng"}, {"/link", "ethernet"}, {"/headerless", "raw"}}));
  ASSERT_TRUE(sink.open());
  Packets packets({"one", "two"});
  const std::string header(14, 'h');
  packets.event(1).layers = NFBUS_LAYER_ETHERNET;
  packets.event(1).hw_header = {reinterpret_cast<const std::uint8_t*>(header.data()), header.size()};
  EXPECT_EQ(sink.write(packets).rejected.size(), 0U);
  std::vector<std::uint64_t> links;
  for (const Block& block : blocks(read_file(file()))) {
    if (block.type == 1) links.push_back(number(block.body.substr(0, 2)));
  }
  EXPECT_THAT(links, ElementsAre(101U, 1U));
}

}  // namespace
}  // namespace nfbus::test
