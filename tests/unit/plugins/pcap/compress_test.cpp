// Files that are complete are compressed, whatever happens meanwhile.
#include "compress.hpp"
#include "captures.hpp"

#include <zlib.h>
#include <zstd.h>

namespace nfbus::test {
namespace {

std::string gunzip(const fs::path& path) {
  std::string out;
  gzFile file = gzopen(path.c_str(), "rb");
  std::array<char, 65536> buffer{};
  for (int got = 0; (got = gzread(file, buffer.data(), buffer.size())) > 0;) {
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
  gzclose(file);
  return out;
}

std::string unzstd(const fs::path& path) {
  const std::string packed = read_file(path);
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::string out;
  std::array<char, 65536> buffer{};
  while (in.pos < in.size) {
    ZSTD_outBuffer piece{buffer.data(), buffer.size(), 0};
    const std::size_t result = ZSTD_decompressStream(context.get(), &piece, &in);
    EXPECT_FALSE(ZSTD_isError(result)) << ZSTD_getErrorName(result);
    out.append(buffer.data(), piece.pos);
    if (ZSTD_isError(result) != 0) break;
  }
  return out;
}

TEST_F(PcapTest, CompressedFilesAreTheSameFiles) {
  for (const auto& [compress, ending] : {std::pair("gzip", ".gz"), std::pair("zstd", ".zst")}) {
    const fs::path folder = path(compress);
    fs::create_directory(folder);
    const Values values = options(
        {{"/file", (folder / "out.pcap").string()}, {"/rotate_packets", std::int64_t{500}}, {"/compress", compress}});
    {
      SinkDriver sink(plugin(), values);
      ASSERT_TRUE(sink.open());
      ASSERT_EQ(sink.write(Packets(numbered_texts(0, 2000))).status, NFBUS_OK);
      EXPECT_TRUE(ticks_until(sink, [&] {
        return fs::exists(folder / ("out-000003.pcap" + std::string(ending))) &&
               !fs::exists(folder / "out-000003.pcap");
      }));
    }
    for (int file = 1; file <= 3; ++file) {
      const fs::path packed = folder / ("out-00000" + std::to_string(file) + ".pcap" + ending);
      EXPECT_FALSE(fs::exists(folder / ("out-00000" + std::to_string(file) + ".pcap")));
      write_file(path("unpacked"), std::string(ending) == ".gz" ? gunzip(packed) : unzstd(packed));
      EXPECT_EQ(read_capture(path("unpacked")).texts(), numbered_texts((file - 1) * 500, 500));
    }
  }
}

// A crash, or somebody who compresses by hand, left a form of which nobody knows whether it is whole.
TEST_F(PcapTest, WhatWasLeftBetweenTwoFormsIsSettledAtTheNextStart) {
  const Values values = options({{"/rotate_packets", std::int64_t{2}}, {"/compress", "gzip"}});
  {
    SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{2}}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets(numbered_texts(1, 6)));
  }
  write_file(path("out-000001.pcap.gz"), "half of it");
  write_file(path("out-000002.pcap.gz.part"), "begun");
  {
    SinkDriver plain(plugin(), options({{"/rotate_packets", std::int64_t{2}}}));
    ASSERT_TRUE(plain.open());
    EXPECT_THAT(names(), IsSupersetOf({"out-000001.pcap", "out-000001.pcap.gz"}));
  }
  SinkDriver sink(plugin(), values);
  ASSERT_TRUE(sink.open());
  EXPECT_TRUE(ticks_until(
      sink, [&] { return fs::exists(path("out-000003.pcap.gz")) && !fs::exists(path("out-000003.pcap")); }));
  EXPECT_THAT(names(),
              ElementsAre("out-000001.pcap.gz", "out-000002.pcap.gz", "out-000003.pcap.gz", "out-000004.pcap.part"));
  for (int file = 1; file <= 3; ++file) {
    write_file(path("unpacked"), gunzip(path("out-00000" + std::to_string(file) + ".pcap.gz")));
    EXPECT_EQ(read_capture(path("unpacked")).texts(), numbered_texts(file * 2 - 1, 2));
  }
}

TEST_F(PcapTest, FilesThatGoWhileTheyAreCompressedDoNotComeBack) {
  SinkDriver sink(
      plugin(),
      options({{"/rotate_packets", std::int64_t{1}}, {"/max_files", std::int64_t{2}}, {"/compress", "zstd"}}));
  ASSERT_TRUE(sink.open());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(sink.write(Packets(numbered_texts(i * 100, 100))).status, NFBUS_OK);
  EXPECT_TRUE(ticks_until(sink, [&] {
    return names() == std::vector<std::string>{"out-001998.pcap.zst", "out-001999.pcap.zst", "out-002000.pcap.part"};
  })) << testing::PrintToString(names());
  EXPECT_THAT(sink.host.logged, IsEmpty());
}

TEST_F(PcapTest, AFileThatCannotBeCompressedStaysUntilItCan) {
  fs::create_directories(path("out-000001.pcap.gz.part"));
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}, {"/compress", "gzip"}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"one", "two"}));
  EXPECT_TRUE(ticks_until(sink, [&] { return !sink.host.logged.empty(); }));
  EXPECT_THAT(sink.host.logged.at(0).second, testing::HasSubstr("cannot compress"));
  EXPECT_THAT(read_capture(path("out-000001.pcap")).texts(), ElementsAre("one"));
  fs::remove(path("out-000001.pcap.gz.part"));
  EXPECT_TRUE(ticks_until(
      sink, [&] { return fs::exists(path("out-000001.pcap.gz")) && !fs::exists(path("out-000001.pcap")); }));
}

}  // namespace
}  // namespace nfbus::test
