// What the sink asks of the kernel: as little as it can, and what was told to.
#include "captures.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

namespace nfbus::test {
namespace {

std::atomic<int> syncs = 0;
std::atomic<int> writes = 0;

}  // namespace
}  // namespace nfbus::test

// In place of the C library's.
extern "C" int fdatasync(int fd) {
  ++nfbus::test::syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

extern "C" ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  ++nfbus::test::writes;
  return syscall(SYS_pwritev, fd, pieces, count, static_cast<long>(offset), static_cast<long>(offset >> 32U));
}

namespace nfbus::test {
namespace {

TEST_F(PcapTest, ABatchIsOneWriteAlsoWithStatisticsInIt) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(plugin(), options({{"/format", format}, {"/file", path(format).string()}}));
    ASSERT_TRUE(sink.open());
    Packets packets(numbered_texts(0, 1024));
    packets.event(500).lost_before = 7;
    const int before = writes;
    EXPECT_EQ(sink.write(packets).status, NFBUS_OK);
    EXPECT_EQ(writes - before, 1);
  }
}

TEST_F(PcapTest, CompleteFilesAreBroughtToTheDiskWhereAsked) {
  for (const bool asked : {false, true}) {
    fs::create_directory(path(asked ? "synced" : "unsynced"));
    const int before = syncs;
    {
      SinkDriver sink(plugin(), options({{"/file", path(asked ? "synced/out.pcap" : "unsynced/out.pcap").string()},
                                         {"/fsync", asked},
                                         {"/rotate_packets", std::int64_t{2}}}));
      ASSERT_TRUE(sink.open());
      EXPECT_EQ(sink.write(Packets(numbered_texts(0, 5))).status, NFBUS_OK);
      EXPECT_EQ(syncs - before, asked ? 2 : 0);
    }
    EXPECT_EQ(syncs - before, asked ? 3 : 0) << "the last file is complete at the end";
  }
}

}  // namespace
}  // namespace nfbus::test
