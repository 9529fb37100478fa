// What the sink asks of the kernel: as little as it can, and what was told to.
#include "captures.hpp"

#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace {

using nfbus::test::numbered_texts;
using nfbus::test::Packets;
using nfbus::test::PcapTest;
using nfbus::test::SinkDriver;
namespace fs = std::filesystem;

std::atomic<int> syncs = 0;

// Of this thread: proc_pid_io(5).
std::uint64_t write_calls() {
  std::ifstream io("/proc/thread-self/io");
  std::string name;
  std::uint64_t count = 0;
  while (io >> name >> count) {
    if (name == "syscw:") return count;
  }
  throw std::runtime_error("/proc/thread-self/io does not count writes");
}

}  // namespace

// In place of the C library's.
extern "C" int fdatasync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace {

TEST_F(PcapTest, ABatchIsOneWriteAlsoWithStatisticsInIt) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(nfbus_plugin_entry, options({{"/format", format}, {"/file", path(format).string()}}));
    ASSERT_TRUE(sink.open());
    Packets packets(numbered_texts(0, 1024));
    packets.event(500).lost_before = 7;
    const std::uint64_t before = write_calls();
    EXPECT_EQ(sink.write(packets).status, NFBUS_OK);
    EXPECT_EQ(write_calls(), before + 1);
  }
}

TEST_F(PcapTest, CompleteFilesAreBroughtToTheDiskWhereAsked) {
  for (const bool asked : {false, true}) {
    fs::create_directory(path(asked ? "synced" : "unsynced"));
    const int before = syncs;
    {
      SinkDriver sink(nfbus_plugin_entry,
                      options({{"/file", path(asked ? "synced/out.pcap" : "unsynced/out.pcap").string()},
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
