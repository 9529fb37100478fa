// What others left where the sink writes: links, and files with names of a rotation.
#include "captures.hpp"

namespace nfbus::test {
namespace {

TEST_F(PcapTest, AForeignFileBehindALinkIsSetAsideAndTheLinkGoesOn) {
  write_file(path("target"), "a text\n");
  fs::create_symlink("target", file());
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets({"one"})).status, NFBUS_OK);
  EXPECT_TRUE(fs::is_symlink(file()));
  EXPECT_THAT(read_capture(path("target")).texts(), ElementsAre("one"));
  EXPECT_EQ(read_file(path("target.1")), "a text\n");
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr(path("target.1").string()))));
}

// As many as a stack of 8 MiB had no room for. Were each to cost a look at all, the test would run out of time.
TEST_F(PcapTest, TenThousandForeignPartsAreCompletedAtOnce) {
  constexpr int kCount = 10'000;
  for (int i = 1; i <= kCount; ++i) {
    std::string digits = std::to_string(i);
    digits.insert(0, 6 - digits.size(), '0');
    write_file(path("out-" + digits + ".pcap.part"), "a text\n");
  }
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{9}}}));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets({"one"})).status, NFBUS_OK);
  EXPECT_EQ(names().size(), kCount + 1U);
  EXPECT_EQ(read_file(path("out-000001.pcap")), "a text\n");
  EXPECT_THAT(read_capture(path("out-010001.pcap.part")).texts(), ElementsAre("one"));
}

TEST_F(PcapTest, APartThatCanBeContinuedGoesOnThoughForeignOnesCameAfterIt) {
  {
    SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{9}}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"one"}));
    fs::copy(path("out-000001.pcap.part"), path("saved"));
  }
  fs::remove(path("out-000001.pcap"));
  fs::rename(path("saved"), path("out-000001.pcap.part"));
  write_file(path("out-000002.pcap.part"), "a text\n");
  write_file(path("out-000003.pcap"), "mine\n");
  write_file(path("out-000003.pcap.part"), "another text\n");
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{9}}, {"/max_files", std::int64_t{3}}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"two"}));
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap.part", "out-000002.pcap", "out-000003.pcap", "out-000004.pcap"));
  EXPECT_THAT(read_capture(path("out-000001.pcap.part")).texts(), ElementsAre("one", "two"));
  EXPECT_EQ(read_file(path("out-000004.pcap")), "another text\n");
}

}  // namespace
}  // namespace nfbus::test
