#include "capture/replay.hpp"

#include "capture_files_for_tests.hpp"
#include "messages_for_tests.hpp"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
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

using Clock = std::chrono::steady_clock;

std::string nflog_body(const Logged& logged) {
  const DatagramBuilder datagram = DatagramBuilder().packet(logged);
  return {datagram.bytes().begin() + sizeof(nlmsghdr), datagram.bytes().end()};
}

struct Published {
  std::string topic, prefix, hw_header, decode_error, in_name, out_name;
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

  void write_bytes(const std::string& bytes) { std::ofstream(file_, std::ios::binary) << bytes; }

  Result<std::unique_ptr<Source>> open(std::vector<CaptureSpec> captures = {}) {
    std::vector<CaptureFile> files;
    for (const std::filesystem::path& path : std::vector(1 + repeat_, file_)) {
      auto file = ReplayFile::open(path);
      if (!file) return file.error();
      auto opened = CaptureFile::open(std::move(file).value());
      if (!opened) return opened.error();
      files.push_back(std::move(opened).value());
    }
    return make_replay(
        std::move(files), std::move(captures), {.prefix = prefix_},
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
                  .in_name = std::string(view(event.in_name)),
                  .out_name = std::string(view(event.out_name)),
                  .event = event});
           }
           if (published_now_) published_now_();
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
  std::function<void()> published_now_;
  std::string prefix_;
  std::size_t repeat_ = 0;  // how often the file is replayed again
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
  write_file(DLT_NFLOG, {nflog_body({.group = 1, .prefix = "drop:input ", .sequence = 41}),
                         nflog_body({.group = 9, .prefix = "lan:in ", .sequence = 3, .timestamp = true})});
  std::vector<CaptureSpec> captures(1);
  captures[0].config.group = 1;
  captures[0].config.action = Action::blocked;
  ASSERT_TRUE(replay(std::move(captures)));
  ASSERT_EQ(published_.size(), 2U);
  EXPECT_EQ(published_[0].topic, "nft:drop:input");
  EXPECT_EQ(published_[0].event.action, NFBUS_ACTION_BLOCKED);
  EXPECT_EQ(published_[1].prefix, "lan:in ");
  EXPECT_EQ(published_[1].event.group, 9);
  EXPECT_EQ(published_[1].event.action, NFBUS_ACTION_BLOCKED);  // no capture names its group
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

TEST_F(ReplayTest, APrefixIsForPacketsThatHaveNoneOfTheirOwn) {
  prefix_ = " Drop:Input ";
  write_file(DLT_RAW, {kUdp4});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.at(0).topic, "nft:drop:input");
  EXPECT_EQ(published_.at(0).prefix, " Drop:Input ");
  write_file(DLT_NFLOG, {nflog_body({.prefix = "own"}), nflog_body({.prefix = ""})});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.at(1).topic, "nft:own");
  EXPECT_EQ(published_.at(2).topic, "nft:");
}

TEST_F(ReplayTest, GroupsThatNoCaptureNamesAreBlockedAndSaidOnceButGroupZero) {
  std::vector<std::string> frames;
  for (const std::uint16_t group : std::vector<std::uint16_t>{5, 0, 5, 6, 5, 0}) {
    frames.push_back(nflog_body({.group = group, .prefix = std::to_string(group)}));
  }
  write_file(DLT_NFLOG, frames);
  std::vector<CaptureSpec> captures(1);
  captures[0].config.group = 1;
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(replay(std::move(captures)));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "nfbus: warning: group 5 is not in the configuration: its packets count as blocked\n"
            "nfbus: warning: group 6 is not in the configuration: its packets count as blocked\n");
  for (const Published& packet : published_) {
    EXPECT_EQ(packet.event.action, packet.prefix == "0" ? NFBUS_ACTION_ALLOWED : NFBUS_ACTION_BLOCKED);
  }
  EXPECT_EQ(published_.size(), 6U);
}

TEST_F(ReplayTest, KeepsTheNamesOfInterfaces) {
  const FileBytes left = FileBytes().option(2, FileBytes().u32(2).str());
  const std::string frame = kAddresses + std::string("\x08\0", 2) + kUdp4;
  write_bytes(FileBytes()
                  .section()
                  .interface(kRawLink)
                  .interface(kRawLink, "tun0")
                  .interface(kEthernetLink, "eth0")
                  .interface(kNflogLink, "wan")
                  .packet(0, 1, kUdp4)
                  .packet(1, 1, kUdp4)
                  .packet(2, 1, frame, left)
                  .packet(2, 1, frame)
                  .packet(3, 1, nflog_body({.in_index = 2, .out_index = 9}))
                  .packet(3, 1, nflog_body({.out_index = 9}))
                  .packet(3, 1, nflog_body({}))
                  .section()
                  .interface(kRawLink, "another")
                  .interface(kRawLink, "and another")
                  .packet(1, 1, kUdp4)
                  .packet(0, 1, kUdp4)
                  .str());
  ASSERT_TRUE(replay());
  std::vector<std::string> names;
  for (const Published& p : published_) {
    names.push_back(p.in_name + std::to_string(p.event.in_index) + ">" + p.out_name +
                    std::to_string(p.event.out_index));
  }
  EXPECT_THAT(names, ElementsAre("0>0", "tun02>0", "0>eth03", "eth03>0", "wan2>9", "0>wan9", "0>0", "and another2>0",
                                 "another1>0"));
}

TEST_F(ReplayTest, LeavesOutWhatItCannotReadAndSaysSoOnce) {
  FileBytes bytes;
  bytes.section().interface(kUsbLink, "usbmon1").interface(kRawLink, "eth0");
  for (int i = 0; i < 3; ++i) bytes.packet(0, 1, "usb").packet(1, 1, kUdp4);
  write_bytes(bytes.str());
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(replay());
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("interface 0 (usbmon1): cannot read link type 189 (USB_LINUX)"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  EXPECT_EQ(published_.size(), 3U);
}

TEST_F(ReplayTest, GoesOnWithTheNextFileBehindOneThatIsCut) {
  repeat_ = 2;
  write_file(DLT_RAW, {kUdp4, kUdp4});
  ASSERT_TRUE(replay());
  EXPECT_EQ(published_.size(), 6U);
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 5);
  ::testing::internal::CaptureStderr();
  const auto result = replay();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("error: " + file_.string() + ": truncated"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text, "3 of 3 files could not be read to their end");
  EXPECT_EQ(published_.size(), 9U);
}

TEST_F(ReplayTest, ASilentPipeDelaysNothingAndCanBeStopped) {
  std::filesystem::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  auto source = open();  // nobody writes to it yet
  ASSERT_TRUE(source);
  std::atomic<std::size_t> seen = 0;
  published_now_ = [&] { seen = published_.size(); };
  std::thread running([&] { EXPECT_TRUE((*source)->run()); });
  const int writer = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
  const std::string bytes = FileBytes().classic(kRawLink).record(1, 0, kUdp4).str();
  EXPECT_EQ(::write(writer, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  for (const auto end = Clock::now() + std::chrono::seconds(20); seen == 0 && Clock::now() < end;) {
    std::this_thread::yield();
  }
  EXPECT_EQ(seen, 1U);
  (*source)->stop();
  running.join();
  ::close(writer);
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
