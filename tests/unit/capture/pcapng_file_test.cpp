// pcapng files, through CaptureFile.
#include "capture_files_for_tests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::uint16_t kResolution = 9;
constexpr std::uint16_t kOffset = 14;
constexpr std::uint16_t kFlags = 2;

using namespace std::string_literals;

TEST(PcapngFile, HasInterfacesEachWithItsNameAndUnit) {
  for (const bool swapped : {false, true}) {
    const FileBytes like(swapped);
    const FileBytes seconds = like.like().number<std::int64_t>(1'600'000'000);
    const std::string bytes =
        like.like()
            .section()
            .interface(kEthernetLink, "eth0")
            .interface(kRawLink, "tun0", like.like().option(kResolution, "\x09"))
            .interface(kRawLink, "", like.like().option(kResolution, "\x94").option(kOffset, seconds.str()))
            .packet(1, 1'600'000'000'123'456'789, "to tun0")
            .packet(0, 1'600'000'000'123'456, "to eth0")
            .packet(2, 3U << 19U, "to the third")
            .str();
    const ReadFile read = read_file_of(bytes);
    EXPECT_EQ(read.error, "");
    ASSERT_EQ(read.packets.size(), 3U);
    EXPECT_EQ(read.packets[0].name, "tun0");
    EXPECT_EQ(read.packets[0].interface, 1U);
    EXPECT_EQ(read.packets[0].time_ns, 1'600'000'000'123'456'789);
    EXPECT_EQ(read.packets[1].name, "eth0");
    EXPECT_EQ(read.packets[1].bytes, "to eth0");
    EXPECT_EQ(read.packets[1].time_ns, 1'600'000'000'123'456'000);
    EXPECT_EQ(read.packets[2].name, "");
    EXPECT_EQ(read.packets[2].time_ns, 1'600'000'001'500'000'000);
  }
}

TEST(PcapngFile, HasPacketsInBlocksOfThreeKinds) {
  FileBytes bytes;
  bytes.section().interface(kRawLink, "eth0", FileBytes(), 5);
  bytes.block(3, FileBytes().u32(4).padded("four"));
  bytes.block(3, FileBytes().u32(900).padded("cut by the snaplen").u32(0));
  bytes.block(2, FileBytes().u16(0).u16(7).u32(0).u32(9).u32(3).u32(3).padded("old"));
  bytes.packet(0, 10, "new");
  const ReadFile read = read_file_of(bytes.str());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 4U);
  EXPECT_EQ(read.packets[0].bytes, "four");
  EXPECT_EQ(read.packets[1].bytes, "cut b");
  EXPECT_EQ(read.packets[2].bytes, "old");
  EXPECT_EQ(read.packets[2].time_ns, 9000);
  EXPECT_EQ(read.packets[3].bytes, "new");
}

TEST(PcapngFile, TellsWhatLeft) {
  const auto flags = [](std::uint32_t value) {
    return FileBytes().option(1, "a comment").option(kFlags, FileBytes().u32(value).str()).u32(0);
  };
  const ReadFile read = read_file_of(FileBytes()
                                         .section()
                                         .interface(kRawLink, "eth0")
                                         .packet(0, 1, "came", flags(1))
                                         .packet(0, 1, "left", flags(0x1e))
                                         .packet(0, 1, "nobody knows", flags(0))
                                         .str());
  ASSERT_EQ(read.packets.size(), 3U);
  EXPECT_FALSE(read.packets[0].outgoing);
  EXPECT_TRUE(read.packets[1].outgoing);
  EXPECT_FALSE(read.packets[2].outgoing);
}

TEST(PcapngFile, SectionsHaveTheirOwnByteOrderAndInterfaces) {
  const std::string bytes = FileBytes().section().interface(kRawLink, "eth0").packet(0, 1, "a").str() +
                            FileBytes(true).section().interface(kRawLink, "eth1").packet(0, 2, "b").str() +
                            FileBytes().section().str() +
                            FileBytes().section().interface(kRawLink, "eth2").packet(0, 3, "c").str();
  const ReadFile read = read_file_of(bytes);
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.sections, 2U);  // one had no interfaces to forget
  ASSERT_EQ(read.packets.size(), 3U);
  EXPECT_EQ(read.packets[0].name, "eth0");
  EXPECT_EQ(read.packets[1].name, "eth1");
  EXPECT_EQ(read.packets[1].time_ns, 2000);
  EXPECT_EQ(read.packets[2].name, "eth2");
}

TEST(PcapngFile, StepsOverWhatItDoesNotKnow) {
  const ReadFile read = read_file_of(FileBytes()
                                         .section()
                                         .block(0xbad, FileBytes().text("whatever"))
                                         .interface(kRawLink, "eth0", FileBytes().option(0x8bad, "vendor"))
                                         .block(5, FileBytes().u32(0).u32(0).u32(0))
                                         .block(4, FileBytes())
                                         .packet(0, 1, "x")
                                         .block(0x40000bad, FileBytes().u32(32473))
                                         .str());
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets.size(), 1U);
}

TEST(PcapngFile, OptionsThatAreBrokenCostThemselvesAlone) {
  const FileBytes too_long = FileBytes().u16(kResolution).u16(60'000).text("\x09\0\0\0"s);
  const ReadFile read = read_file_of(FileBytes()
                                         .section()
                                         .interface(kRawLink, "eth0", too_long)
                                         .interface(kRawLink,
                                                    "a name that is longer than any that a system would give "
                                                    "to one of its interfaces, ever")
                                         .packet(0, 1, "x", FileBytes().u16(kFlags).u16(4000))
                                         .packet(1, 1, "y", FileBytes().option(kFlags, "\2"))
                                         .str());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].name, "eth0");
  EXPECT_EQ(read.packets[0].time_ns, 1000);
  EXPECT_EQ(read.packets[1].name.size(), 63U);
}

TEST(PcapngFile, AnInterfaceThatCannotBeReadDoesNotHideTheOthers) {
  FileBytes bytes;
  bytes.section().interface(kUsbLink, "usbmon1").packet(0, 1, "usb");
  EXPECT_THAT(read_file_of(bytes.str()).error, StartsWith("at once: f: cannot read link type 189 (USB_LINUX)"));
  bytes.interface(kRawLink, "eth0").packet(1, 2, "ip").packet(0, 3, "usb");
  const ReadFile read = read_file_of(bytes.str());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 3U);
  EXPECT_FALSE(read.packets[0].readable);
  EXPECT_TRUE(read.packets[1].readable);
  EXPECT_FALSE(read.packets[2].readable);
}

TEST(PcapngFile, WithoutPacketsIsNoError) {
  EXPECT_EQ(read_file_of(FileBytes().section().str()).error, "");
  EXPECT_EQ(read_file_of(FileBytes().section().interface(kRawLink).str()).error, "");
}

TEST(PcapngFile, ThatIsCutGivesWhatIsThereAndSaysWhere) {
  const std::string head = FileBytes().section().interface(kRawLink, "eth0").packet(0, 1, "whole").str();
  const std::string last = FileBytes().packet(0, 2, "cut").str();
  for (std::size_t size = 1; size < last.size(); ++size) {
    const ReadFile read = read_file_of(head + last.substr(0, size));
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_THAT(read.error, StartsWith("f: truncated: the block at offset " + std::to_string(head.size()))) << size;
  }
}

TEST(PcapngFile, WhatIsBrokenNamesTheOffset) {
  const std::string head = FileBytes().section().interface(kRawLink, "eth0").packet(0, 1, "good").str();
  const std::string at = "offset " + std::to_string(head.size()) + " ";
  const auto error_of = [&](const FileBytes& bytes) {
    const ReadFile read = read_file_of(head + bytes.str());
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_THAT(read.error, HasSubstr(at));
    return read.error;
  };
  EXPECT_THAT(error_of(FileBytes().u32(6).u32(0x7ffffffc).text(std::string(64, 'x'))), HasSubstr("too long"));
  EXPECT_THAT(error_of(FileBytes().u32(6).u32(0).u32(0)), HasSubstr("impossible length"));
  EXPECT_THAT(error_of(FileBytes().u32(6).u32(13).text(std::string(64, 'x'))), HasSubstr("impossible length"));
  EXPECT_THAT(error_of(FileBytes().u32(6).u32(16).u32(0).u32(20)), HasSubstr("does not end with the length"));
  EXPECT_THAT(error_of(FileBytes().block(6, FileBytes().u32(0))), HasSubstr("too short for a packet"));
  EXPECT_THAT(error_of(FileBytes().block(6, FileBytes().u32(0).u32(0).u32(0).u32(5).u32(5).u32(0))),
              HasSubstr("shorter than its packet"));
  EXPECT_THAT(error_of(FileBytes().block(3, FileBytes().u32(5).u32(0))), HasSubstr("shorter than its packet"));
  EXPECT_THAT(error_of(FileBytes().block(3, FileBytes())), HasSubstr("too short for a packet"));
  EXPECT_THAT(error_of(FileBytes().block(1, FileBytes().u32(1))), HasSubstr("too short for an interface"));
  EXPECT_THAT(error_of(FileBytes().packet(1, 1, "x")), HasSubstr("interface 1, which was not described"));
  EXPECT_THAT(error_of(FileBytes().u32(0x0a0d0d0a).u32(28).u32(0x12345678)), HasSubstr("no byte order"));
}

}  // namespace
}  // namespace nfbus::host
