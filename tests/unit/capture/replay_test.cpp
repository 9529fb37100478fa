#include "capture/replay.hpp"

#include "messages_for_tests.hpp"

#include <pcap/pcap.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kUdp4("\x45\0\0\x1c\0\1\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2\x30\x39\0\x35\0\x08\0\0", 28);
const std::string kUdp6 = std::string("\x60\0\0\0\0\x08\x11\x40", 8) + std::string(15, '\0') + '\1' +
                          std::string(15, '\0') + '\2' + std::string("\x30\x39\0\x35\0\x08\0\0", 8);
const std::string kAddresses("\2\0\0\0\0\1\2\0\0\0\0\2", 12);
constexpr std::int64_t kFirstNs = 1'600'000'000'123'456'789;

struct Published {
  std::string topic, prefix, hw_header, decode_error;
  nfbus_event event;
};

class ReplayTest : public ::testing::Test {
 protected:
  ReplayTest() : file_(std::filesystem::temp_directory_path() / ("nfbus-replay-" + std::to_string(::getpid()))) {}
  ~ReplayTest() override { std::filesystem::remove(file_); }

  // Packets a second apart, from kFirstNs on, with times in nanoseconds.
  void write_file(int dlt, const std::vector<std::string>& frames) {
    pcap_t* const dead = pcap_open_dead_with_tstamp_precision(dlt, 262144, PCAP_TSTAMP_PRECISION_NANO);
    pcap_dumper_t* const out = pcap_dump_open(dead, file_.c_str());
    ASSERT_NE(out, nullptr) << pcap_geterr(dead);
    std::int64_t time_ns = kFirstNs;
    for (const std::string& frame : frames) {
      pcap_pkthdr header{};
      header.ts.tv_sec = time_ns / 1'000'000'000;
      header.ts.tv_usec = time_ns % 1'000'000'000;
      header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
      pcap_dump(reinterpret_cast<u_char*>(out), &header, reinterpret_cast<const u_char*>(frame.data()));
      time_ns += 1'000'000'000;
    }
    pcap_dump_close(out);
    pcap_close(dead);
  }

  Result<std::unique_ptr<Source>> open(std::vector<CaptureSpec> captures = {}) {
    auto file = ReplayFile::open(file_);
    if (!file) return file.error();
    return open_replay(
        std::move(file).value(), std::move(captures),
        {.topics = topics_,
         .slabs = slabs_,
         .batches = batches_,
         .publish = {},
         .publish_when_room = [this](const BatchRef& batch) {
           for (const Event& event : batch->events()) {
             published_.push_back(
                 {.topic = std::string(view(event.topic)),
                  .prefix = std::string(view(event.prefix)),
                  .hw_header = std::string(reinterpret_cast<const char*>(event.hw_header.data), event.hw_header.size),
                  .decode_error = std::string(view(event.decode_error)),
                  .event = event});
           }
         }});
  }

  // Replays the file to its end.
  Result<void> replay(std::vector<CaptureSpec> captures = {}) {
    auto source = open(std::move(captures));
    if (!source) return source.error();
    auto result = (*source)->run();
    counters_ = (*source)->snapshots();
    return result;
  }

  const std::filesystem::path file_;
  TopicTable topics_{"nft:"};
  SlabPool slabs_{kSlabBytes, 4};
  BatchPool batches_{4};
  std::vector<Published> published_;
  std::vector<CaptureSnapshot> counters_;
};

TEST_F(ReplayTest, RawPacketsOfBothVersionsCountAsGroupZeroAllowed) {
  write_file(DLT_RAW, {kUdp4, kUdp6});
  ASSERT_TRUE(replay());
  ASSERT_EQ(published_.size(), 2U);
  for (const Published& packet : published_) {
    EXPECT_EQ(packet.topic, "nft:");
    EXPECT_EQ(packet.event.group, 0);
    EXPECT_EQ(packet.event.action, NFBUS_ACTION_ALLOWED);
    EXPECT_EQ(packet.event.destination_port, 53);
    EXPECT_EQ(packet.decode_error, "");
  }
  EXPECT_TRUE(published_[0].event.layers & NFBUS_LAYER_IPV4);
  EXPECT_TRUE(published_[1].event.layers & NFBUS_LAYER_IPV6);
  EXPECT_EQ(counters_.front().published, 2U);
}

TEST_F(ReplayTest, KeepsTheFilesTimesToTheNanosecond) {
  write_file(DLT_RAW, {kUdp4, kUdp4});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.at(0).event.time_ns, kFirstNs);
  EXPECT_EQ(published_.at(1).event.time_ns, kFirstNs + 1'000'000'000);
}

TEST_F(ReplayTest, ItsPacketsCountAsTheFirstCaptures) {
  write_file(DLT_RAW, {kUdp4});
  std::vector<CaptureSpec> captures(2);
  captures[0].config.group = 4;
  captures[0].config.action = Action::blocked;
  captures[1].config.group = 5;
  ASSERT_TRUE(replay(std::move(captures)));
  EXPECT_EQ(published_.at(0).event.group, 4);
  EXPECT_EQ(published_.at(0).event.action, NFBUS_ACTION_BLOCKED);
}

TEST_F(ReplayTest, EthernetFramesKeepTheirHeaderAndVlanTag) {
  const std::string plain = kAddresses + std::string("\x08\0", 2) + kUdp4;
  const std::string tagged = kAddresses + std::string("\x81\0\x20\x07\x86\xdd", 6) + kUdp6;
  const std::string twice = kAddresses + std::string("\x88\xa8\0\x05\x81\0\0\x06\x08\0", 10) + kUdp4;
  write_file(DLT_EN10MB, {plain, tagged, twice});
  ASSERT_TRUE(replay());
  ASSERT_EQ(published_.size(), 3U);
  EXPECT_EQ(published_[0].hw_header, plain.substr(0, 14));
  EXPECT_EQ(published_[0].event.hw_type, 1);
  EXPECT_FALSE(published_[0].event.layers & NFBUS_LAYER_VLAN);
  EXPECT_TRUE(published_[1].event.layers & NFBUS_LAYER_VLAN);
  EXPECT_EQ(published_[1].event.vlan_tci, 0x2007);
  EXPECT_EQ(published_[1].event.vlan_protocol, 0x8100);
  EXPECT_EQ(published_[2].event.vlan_tci, 5);
  for (const Published& packet : published_) EXPECT_EQ(packet.event.destination_port, 53);
}

TEST_F(ReplayTest, CookedFramesOfAnyInterfaceAreRead) {
  write_file(DLT_LINUX_SLL, {std::string("\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", 16) + kUdp4});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.at(0).event.destination_port, 53);
  write_file(DLT_LINUX_SLL2, {std::string("\x86\xdd\0\0\0\0\0\7\0\1\0\6\2\0\0\0\0\1\0\0", 20) + kUdp6});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.at(1).event.destination_port, 53);
  EXPECT_EQ(published_.at(1).event.in_index, 7U);
}

TEST_F(ReplayTest, NflogFilesBringTheirOwnGroupsAndPrefixes) {
  const auto body = [](const Logged& logged) {
    const DatagramBuilder datagram = DatagramBuilder().packet(logged);
    return std::string(datagram.bytes().begin() + sizeof(nlmsghdr), datagram.bytes().end());
  };
  write_file(DLT_NFLOG, {body({.group = 1, .prefix = "drop:input ", .sequence = 41}),
                         body({.group = 9, .prefix = "lan:in ", .sequence = 3, .timestamp = true})});
  std::vector<CaptureSpec> captures(1);
  captures[0].config.group = 1;
  captures[0].config.action = Action::blocked;
  ASSERT_TRUE(replay(std::move(captures)));
  ASSERT_EQ(published_.size(), 2U);
  EXPECT_EQ(published_[0].topic, "nft:drop:input");
  EXPECT_EQ(published_[0].event.action, NFBUS_ACTION_BLOCKED);
  EXPECT_EQ(published_[1].prefix, "lan:in ");
  EXPECT_EQ(published_[1].event.group, 9);
  EXPECT_EQ(published_[1].event.action, NFBUS_ACTION_ALLOWED);
  EXPECT_EQ(published_[1].event.time_ns, kFirstNs + 1'000'000'000);
  ASSERT_EQ(counters_.size(), 2U);
  EXPECT_EQ(counters_[1].group, 9);
  EXPECT_EQ(counters_[1].received, 1U);
}

TEST_F(ReplayTest, KeepsTheOrderOverManyBatches) {
  std::vector<std::string> frames;
  for (int i = 0; i < 5000; ++i) {
    std::string frame = kUdp4 + std::string(static_cast<std::size_t>(i % 1400), 'x');
    frame[4] = static_cast<char>(i >> 8);
    frame[5] = static_cast<char>(i & 0xff);
    frames.push_back(std::move(frame));
  }
  write_file(DLT_RAW, frames);
  ASSERT_TRUE(replay());
  ASSERT_EQ(published_.size(), 5000U);
  for (std::size_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(published_[i].event.time_ns, kFirstNs + static_cast<std::int64_t>(i) * 1'000'000'000);
  }
  EXPECT_EQ(counters_.front().received, 5000U);
}

TEST_F(ReplayTest, ABrokenFrameIsStillAnEvent) {
  write_file(DLT_EN10MB, {kAddresses.substr(0, 5), kAddresses + std::string("\x08\0", 2)});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.size(), 2U);
  EXPECT_EQ(counters_.front().published, 2U);
}

TEST_F(ReplayTest, AFrameLargerThanAnyRecordIsCutNotLost) {
  write_file(DLT_RAW, {kUdp4 + std::string(200'000, 'x'), kUdp4});
  ASSERT_TRUE(replay());
  ASSERT_EQ(published_.size(), 2U);
  EXPECT_EQ(published_[0].event.payload.size, 65531U);
  EXPECT_EQ(published_[1].event.payload.size, kUdp4.size());
}

TEST_F(ReplayTest, ATruncatedFileIsAnErrorAfterAllBeforeIsPublished) {
  write_file(DLT_RAW, {kUdp4, kUdp4, kUdp4});
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 5);
  const auto result = replay();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text, HasSubstr("truncated"));
  EXPECT_EQ(published_.size(), 2U);
}

TEST_F(ReplayTest, SaysWhatIsWrongWithAFileThatIsNoPcap) {
  const auto missing = open();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  for (const std::string& content : {std::string(), std::string("garbage, and enough of it for a header")}) {
    std::ofstream(file_) << content;
    const auto source = open();
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().code, Code::invalid);
    EXPECT_THAT(source.error().text, HasSubstr(file_.string() + ": not a pcap file"));
  }
}

TEST_F(ReplayTest, NamesALinkTypeThatItCannotRead) {
  write_file(DLT_USB_LINUX, {"x"});
  const auto source = open();
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Code::invalid);
  EXPECT_THAT(source.error().text, HasSubstr("USB_LINUX"));
}

TEST_F(ReplayTest, StopsWhenAsked) {
  write_file(DLT_RAW, {kUdp4});
  auto source = open();
  ASSERT_TRUE(source);
  (*source)->stop();
  ASSERT_TRUE((*source)->run());
  EXPECT_TRUE(published_.empty());
}

}  // namespace
}  // namespace nfbus::host
