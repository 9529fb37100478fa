// Classic pcap files, through CaptureFile.
#include "capture_files_for_tests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ClassicFile, IsReadInBothByteOrdersWithBothUnits) {
  for (const bool swapped : {false, true}) {
    for (const std::uint32_t magic : {0xa1b2c3d4U, 0xa1b23c4dU}) {
      const std::string bytes =
          FileBytes(swapped).classic(kRawLink, magic).record(1'600'000'000, 5, "one").record(7, 8, "").str();
      const ReadFile read = read_file_of(bytes);
      EXPECT_EQ(read.error, "");
      ASSERT_EQ(read.packets.size(), 2U);
      EXPECT_EQ(read.packets[0].bytes, "one");
      EXPECT_EQ(read.packets[0].time_ns, 1'600'000'000'000'000'000 + (magic == 0xa1b2c3d4U ? 5000 : 5));
      EXPECT_EQ(read.packets[1].bytes, "");
    }
  }
}

TEST(ClassicFile, HasLongerPacketHeadersWithTheModifiedMagic) {
  for (const bool swapped : {false, true}) {
    FileBytes bytes(swapped);
    bytes.classic(kRawLink, 0xa1b2cd34);
    for (const char* const frame : {"one", "second"}) {
      const auto size = static_cast<std::uint32_t>(std::string_view(frame).size());
      bytes.u32(9).u32(1).u32(size).u32(size).u32(3).u16(0x0800).u16(4).text(frame);
    }
    const ReadFile read = read_file_of(bytes.str());
    EXPECT_EQ(read.error, "");
    ASSERT_EQ(read.packets.size(), 2U);
    EXPECT_EQ(read.packets[1].bytes, "second");
    EXPECT_EQ(read.packets[1].time_ns, 9'000'001'000);
  }
}

TEST(ClassicFile, SecondsHaveNoSign) {
  const ReadFile read = read_file_of(
      FileBytes().classic(kRawLink).record(0x80000000, 0, "2038").record(0xffffffff, 999'999, "2106").str());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].time_ns, 2'147'483'648'000'000'000);
  EXPECT_EQ(read.packets[1].time_ns, 4'294'967'295'999'999'000);
}

TEST(ClassicFile, AnotherOneBehindItIsReadOn) {
  const std::string raw = FileBytes().classic(kRawLink).record(1, 0, "a").str();
  const std::string ethernet = FileBytes(true).classic(kEthernetLink, 0xa1b23c4d).record(2, 3, "b").str();
  const ReadFile read = read_file_of(raw + ethernet + raw);
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 3U);
  EXPECT_EQ(read.packets[1].bytes, "b");
  EXPECT_EQ(read.packets[1].time_ns, 2'000'000'003);
  EXPECT_EQ(read.packets[2].time_ns, 1'000'000'000);
}

TEST(ClassicFile, ThatIsCutGivesWhatIsThereAndSaysWhere) {
  const std::string bytes = FileBytes().classic(kRawLink).record(1, 0, "first").record(2, 0, "second").str();
  for (std::size_t cut = 1; cut < 22; ++cut) {
    const ReadFile read = read_file_of(std::string_view(bytes).substr(0, bytes.size() - cut));
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_THAT(read.error, StartsWith("f: truncated: the packet at offset 45 has ")) << cut;
  }
  EXPECT_EQ(read_file_of(std::string_view(bytes).substr(0, bytes.size() - 22)).error, "");
}

TEST(ClassicFile, WhoseHeaderIsWrongIsRefusedAtOnce) {
  const std::string good = FileBytes().classic(kRawLink).str();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(read_file_of(good.substr(0, size)).error, StartsWith("at once: f: not a pcap file")) << size;
  }
  EXPECT_EQ(read_file_of(good).error, "");
  std::string other_version = good;
  other_version[4] = 3;
  EXPECT_THAT(read_file_of(other_version).error, HasSubstr("version is 3.4"));
  EXPECT_THAT(read_file_of("# a text, and long enough").error, StartsWith("at once: f: not a pcap file"));
  EXPECT_THAT(read_file_of(FileBytes().classic(kUsbLink).record(1, 0, "x").str()).error,
              StartsWith("at once: f: cannot read link type 189 (USB_LINUX); known are RAW"));
}

TEST(ClassicFile, APacketThatClaimsTooMuchIsAnErrorNotMemory) {
  FileBytes bytes;
  bytes.classic(kRawLink).record(1, 0, "first").u32(1).u32(0).u32(0xfffffff0).u32(60).text("much less");
  const ReadFile read = read_file_of(bytes.str());
  EXPECT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.error, "f: broken: the packet at offset 45 claims 4294967280 bytes");
}

// Their numbers in files are not those of libpcap, or are several.
TEST(ClassicFile, KnowsTheLinkTypesOfOtherSystems) {
  for (const std::uint32_t link_type : {12U, 14U, 101U, 228U, 229U, 1U, 113U, 276U, 239U, 0U, 108U, 9U, 50U, 51U}) {
    const ReadFile read = read_file_of(FileBytes().classic(link_type).record(1, 0, "x").str());
    EXPECT_EQ(read.error, "") << link_type;
  }
  // How long the check sequence behind each frame is stands beside it.
  EXPECT_EQ(read_file_of(FileBytes().classic(0x24000000 | kEthernetLink).str()).error, "");
}

}  // namespace
}  // namespace nfbus::host
