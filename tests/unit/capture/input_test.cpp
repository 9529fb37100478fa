// How the bytes of a capture file come: compressed, through pipes, cut.
#include "capture_files_for_tests.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace nfbus::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using namespace std::string_literals;

std::string gzipped(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipHeader = 16;
  ::deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + kGzipHeader, 8, Z_DEFAULT_STRATEGY);
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(::ZSTD_compressBound(bytes.size()), '\0');
  out.resize(::ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

using Compress = std::string (*)(std::string_view);

std::string many_packets(std::uint32_t count) {
  FileBytes bytes;
  bytes.classic(kRawLink);
  for (std::uint32_t i = 0; i < count; ++i)
    bytes.record(i, i % 1'000'000, std::string(i % 1500, 'x') + std::to_string(i));
  return bytes.str();
}

class PackedFile : public ::testing::TestWithParam<Compress> {
 protected:
  static std::string pack(std::string_view bytes) { return GetParam()(bytes); }
};

TEST_P(PackedFile, IsReadLikeOneThatIsNot) {
  const ReadFile read = read_file_of(pack(many_packets(3000)));
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 3000U);
  EXPECT_EQ(read.packets[2999].bytes, std::string(2999 % 1500, 'x') + "2999");
}

TEST_P(PackedFile, MayHaveManyPartsOneBehindTheOther) {
  const std::string bytes = many_packets(1000);
  std::string packed;
  for (std::size_t at = 0; at < bytes.size(); at += 100'000)
    packed += pack(std::string_view(bytes).substr(at, 100'000));
  const ReadFile read = read_file_of(packed);
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets.size(), 1000U);
  EXPECT_EQ(read_file_of(pack(many_packets(2)) + pack("") + pack(many_packets(3))).packets.size(), 5U);
}

TEST_P(PackedFile, ThatIsCutGivesWhatIsThereAndSaysWhere) {
  const std::string packed = pack(many_packets(3000));
  const ReadFile read = read_file_of(std::string_view(packed).substr(0, packed.size() / 2));
  EXPECT_GT(read.packets.size(), 100U);
  EXPECT_LT(read.packets.size(), 3000U);
  EXPECT_THAT(read.error, AllOf(StartsWith("f: "), HasSubstr("truncated"),
                                HasSubstr("offset " + std::to_string(packed.size() / 2))));
}

TEST_P(PackedFile, ThatIsBrokenGivesWhatIsBefore) {
  const std::string whole = pack(many_packets(500));
  const ReadFile read = read_file_of(whole + "garbage that is no part");
  EXPECT_EQ(read.packets.size(), 500U);
  EXPECT_THAT(read.error, HasSubstr("compressed data is broken at offset"));
}

// That this process ever had.
std::size_t most_memory_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss);
}

// A gibibyte of zeros; it must not be held, nor may what a block claims.
TEST_P(PackedFile, BombsTakeNoMemory) {
  const std::string part = pack(std::string(64UL << 20U, '\0'));
  const std::size_t before = most_memory_kib();
  std::string bomb = pack(FileBytes().section().u32(0xbad).u32(0x7ffffff0).str());
  for (int i = 0; i < 16; ++i) bomb += part;
  const ReadFile read = read_file_of(bomb);
  EXPECT_THAT(read.error, HasSubstr("too long"));
  // Read to its end: sixteen zeros are an empty packet.
  bomb = pack(FileBytes().classic(kRawLink).str());
  for (int i = 0; i < 4; ++i) bomb += part;
  auto file = CaptureFile::open({.name = "f", .descriptor = file_with(bomb)});
  ASSERT_TRUE(file);
  FilePacket packet;
  std::size_t packets = 0;
  for (auto next = file->next(packet); next && *next == Next::packet; next = file->next(packet)) ++packets;
  EXPECT_EQ(packets, (256UL << 20U) / 16);
  EXPECT_LT(most_memory_kib() - before, 32UL << 10U);
}

INSTANTIATE_TEST_SUITE_P(Gzip, PackedFile, ::testing::Values(gzipped));
INSTANTIATE_TEST_SUITE_P(Zstd, PackedFile, ::testing::Values(zstd));

TEST(PackedFileKinds, ZerosBehindGzipArePadding) {
  EXPECT_EQ(read_file_of(gzipped(many_packets(3)) + std::string(512, '\0')).error, "");
}

TEST(PackedFileKinds, ThatAreNotReadNameTheProgramThatUnpacksThem) {
  const auto error_of = [](std::string_view first) { return read_file_of(std::string(first) + "and more").error; };
  EXPECT_THAT(error_of("\xfd"
                       "7zXZ\0"s),
              AllOf(StartsWith("at once: f: "), HasSubstr("xz -dc FILE | nfbus run --replay -")));
  EXPECT_THAT(error_of("BZh91AY"), HasSubstr("bzip2 -dc FILE"));
  EXPECT_THAT(error_of("\x04\x22\x4d\x18"), HasSubstr("lz4 -dc FILE"));
  EXPECT_THAT(error_of("PK\x03\x04"), HasSubstr("with unzip"));
}

class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    reader = Descriptor(ends[0]);
    writer = Descriptor(ends[1]);
  }
  void write(std::string_view bytes) const {
    ASSERT_EQ(::write(writer.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  Descriptor reader, writer;
};

TEST(PipedFile, GivesEachPacketOnceItIsThere) {
  for (const bool packed : {false, true}) {
    const std::string head = FileBytes().classic(kRawLink).record(1, 0, "first").str();
    const std::string tail = FileBytes().record(2, 0, "second").str();
    Pipe pipe;
    auto file = CaptureFile::open({.name = "f", .descriptor = std::move(pipe.reader)});
    ASSERT_TRUE(file);
    EXPECT_EQ(read_on(*file).waits, 1U);  // nothing has come, which is no error
    pipe.write(packed ? gzipped(head) : head.substr(0, 11));
    if (!packed) {
      EXPECT_EQ(read_on(*file).waits, 1U);
      pipe.write(head.substr(11));
    }
    const ReadFile first = read_on(*file);
    ASSERT_EQ(first.packets.size(), 1U);
    EXPECT_EQ(first.packets[0].bytes, "first");
    EXPECT_EQ(first.waits, 1U);
    pipe.write(packed ? gzipped(tail) : tail);
    EXPECT_EQ(read_on(*file).packets.size(), 1U);
    pollfd waiting{.fd = file->input().descriptor(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
    pipe.writer = Descriptor();
    EXPECT_EQ(::poll(&waiting, 1, 0), 1);
    const ReadFile end = read_on(*file);
    EXPECT_EQ(end.waits, 0U);
    EXPECT_EQ(end.error, "");
  }
}

TEST(PipedFile, IsJudgedWhenItIsRead) {
  Pipe pipe;
  auto file = CaptureFile::open({.name = "f", .descriptor = std::move(pipe.reader)});
  ASSERT_TRUE(file);
  pipe.write("no capture at all");
  EXPECT_THAT(read_on(*file).error, StartsWith("f: not a pcap file"));
}

TEST(PipedFile, OfNothingThatCanBeReadSaysSoAtItsEnd) {
  Pipe pipe;
  auto file = CaptureFile::open({.name = "f", .descriptor = std::move(pipe.reader)});
  ASSERT_TRUE(file);
  pipe.write(FileBytes().section().interface(kUsbLink, "usbmon1").packet(0, 1, "usb").str());
  const ReadFile first = read_on(*file);
  EXPECT_EQ(first.error, "");
  ASSERT_EQ(first.packets.size(), 1U);
  EXPECT_FALSE(first.packets[0].readable);
  pipe.writer = Descriptor();
  EXPECT_THAT(read_on(*file).error, StartsWith("f: cannot read link type 189 (USB_LINUX)"));
}

TEST(OpenFile, ThatSomebodyHasReadAPartOfGoesOnFromThere) {
  Descriptor file = file_with("a line before it\n" + FileBytes().classic(kRawLink).record(1, 0, "x").str());
  ASSERT_EQ(::lseek(file.get(), 17, SEEK_SET), 17);
  auto opened = CaptureFile::open({.name = "f", .descriptor = std::move(file)});
  ASSERT_TRUE(opened);
  EXPECT_EQ(read_on(*opened).packets.size(), 1U);
}

TEST(OpenFile, ThatIsAFolderIsRefusedAtOnce) {
  const auto folder = ReplayFile::open("/");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().text, "/: Is a directory");
}

}  // namespace
}  // namespace nfbus::host
