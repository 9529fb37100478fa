// The sink through its entry, writing to real files, without and with rotation.
#include "captures.hpp"

#include <sys/stat.h>

namespace nfbus::test {
namespace {

constexpr std::size_t kHeader = 24;  // of a file, and what each packet costs beyond its bytes
constexpr std::size_t kRecord = 16;

TEST_F(PcapTest, WritesPacketsWithTheirTimesAndLengths) {
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  Packets packets({"one", "three", ""});
  packets.event(1).packet_size = 1500;
  EXPECT_EQ(sink.write(packets).status, NFBUS_OK);
  const Capture capture = read_capture(file());
  EXPECT_EQ(capture.error, "");
  EXPECT_EQ(capture.link, DLT_RAW);
  EXPECT_THAT(capture.texts(), ElementsAre("one", "three", ""));
  EXPECT_EQ(capture.packets[0].time_ns, kFirstTimeNs);
  EXPECT_EQ(capture.packets[1].time_ns, kFirstTimeNs + 1'000'000'000);
  EXPECT_EQ(capture.packets[0].original_bytes, 3U);
  EXPECT_EQ(capture.packets[1].original_bytes, 1500U);
  struct stat found {};
  ASSERT_EQ(stat(file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0137U, 0U) << "nobody else may read what packets say";
}

TEST_F(PcapTest, WritesMicrosecondsWhereAsked) {
  SinkDriver sink(plugin(), options({{"/precision", "us"}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"one"}));
  EXPECT_EQ(read_capture(file()).packets.at(0).time_ns, kFirstTimeNs / 1000 * 1000);
  EXPECT_EQ(read_file(file()).substr(0, 4), "\xd4\xc3\xb2\xa1");
}

TEST_F(PcapTest, RefusesPacketsThatItsLinkTypeDoesNotHaveAndWritesTheOthers) {
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  Packets packets({"one", "two", "three"});
  packets.event(1).ether_type = 0x0806;
  const Written written = sink.write(packets);
  EXPECT_EQ(written.status, NFBUS_OK);
  EXPECT_THAT(written.rejected, ElementsAre(Pair(1U, HasSubstr("IP packets only"))));
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("one", "three"));
}

TEST_F(PcapTest, LargeAndSmallPacketsOfManyBatchesComeInTheirOrder) {
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  std::vector<std::string> all;
  for (std::size_t batch = 0; batch < 3; ++batch) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 1024; ++i) texts.emplace_back(i * 7 % 2000, static_cast<char>('a' + i % 26));
    EXPECT_EQ(sink.write(Packets(texts)).status, NFBUS_OK);
    all.insert(all.end(), texts.begin(), texts.end());
  }
  EXPECT_EQ(read_capture(file()).texts(), all);
}

TEST_F(PcapTest, SaysWhatDoesNotGoTogether) {
  for (const Values& wrong :
       {Values{{"/link", "ethernet"}, {"/headerless", "raw"}}, Values{{"/max_files", std::int64_t{2}}},
        Values{{"/format", "pcapng"}, {"/headerless", "raw"}}, Values{{"/file", folder_.string() + '/'}},
        Values{{"/file", std::string("a\0b", 3)}}, Values{{"/fifo", true}, {"/rotate_packets", std::int64_t{1}}},
        Values{{"/file", (folder_ / "%Q.pcap").string()}, {"/rotate_packets", std::int64_t{1}}}}) {
    const SinkDriver sink(plugin(), options(wrong));
    EXPECT_FALSE(sink.created());
    EXPECT_NE(sink.error(), "");
  }
}

// ---- A file that was there ----

TEST_F(PcapTest, ContinuesAFileOfItsKind) {
  for (const char* text : {"one", "two"}) {
    SinkDriver sink(plugin(), options());
    ASSERT_TRUE(sink.open());
    sink.write(Packets({text}));
  }
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("one", "two"));
}

TEST_F(PcapTest, ContinuesAfterTheLastWholePacketWhereverACrashCutTheFile) {
  std::string whole;
  {
    SinkDriver sink(plugin(), options());
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"one", "two"}));
    whole = read_file(file());
  }
  const std::size_t first_end = kHeader + kRecord + 3;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_file(file(), whole.substr(0, size));
    SinkDriver sink(plugin(), options());
    ASSERT_TRUE(sink.open());
    ASSERT_EQ(sink.write(Packets({"three"})).status, NFBUS_OK);
    std::vector<std::string> expected;
    if (size >= first_end) expected.emplace_back("one");
    if (size == whole.size()) expected.emplace_back("two");
    expected.emplace_back("three");
    const Capture capture = read_capture(file());
    EXPECT_THAT(capture.texts(), ElementsAreArray(expected)) << size;
    EXPECT_EQ(capture.error, "") << size;
    EXPECT_THAT(names(), ElementsAre("out.pcap")) << size;
  }
}

TEST_F(PcapTest, SetsAFileAsideThatItCouldNotHaveWritten) {
  const std::string broken = [&] {
    SinkDriver sink(plugin(), options());
    sink.open();
    sink.write(Packets({"one", "two"}));
    std::string text = read_file(file());
    text[kHeader + 11] = '\x7f';  // a length of 2 GB
    return text;
  }();
  int number = 0;
  for (const std::string& other : {std::string("a text\n"), std::string(100, '\0'), broken}) {
    write_file(file(), other);
    SinkDriver sink(plugin(), options());
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"three"}));
    EXPECT_THAT(read_capture(file()).texts(), ElementsAre("three"));
    EXPECT_EQ(read_file(file().string() + '.' + std::to_string(++number)), other);
    EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("is " + file().string() + '.'))));
  }
}

TEST_F(PcapTest, ContinuesAFileOfAClockThatWasNeverSet) {
  for (const char* text : {"one", "two"}) {
    SinkDriver sink(plugin(), options());
    ASSERT_TRUE(sink.open());
    Packets packets({text});
    packets.event(0).time_ns = 500'000'000;  // 1970
    sink.write(packets);
  }
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("one", "two"));
}

TEST_F(PcapTest, AnotherLinkTypeIsAnotherFile) {
  for (const char* link : {"raw", "nflog"}) {
    SinkDriver sink(plugin(), options({{"/link", link}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets({link}));
  }
  EXPECT_EQ(read_capture(path("out.pcap.1")).link, DLT_RAW);
  EXPECT_EQ(read_capture(file()).link, DLT_NFLOG);
}

TEST_F(PcapTest, TwoSinksDoNotWriteToOneFile) {
  SinkDriver second(plugin(), options());
  {
    SinkDriver first(plugin(), options());
    ASSERT_TRUE(first.open());
    ASSERT_TRUE(second.open());
    first.write(Packets({"one"}));
    EXPECT_EQ(second.write(Packets({"two"})).status, NFBUS_RETRY);
    EXPECT_THAT(second.error(), HasSubstr("another sink of this host writes to it"));
  }
  EXPECT_EQ(second.write(Packets({"two"})).status, NFBUS_OK);
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("one", "two"));
}

TEST_F(PcapTest, ASinkThatWaitsForAnotherOneTouchesNoneOfItsFiles) {
  const Values one_a_file = options({{"/rotate_packets", std::int64_t{1}}});
  SinkDriver second(
      plugin(),
      options({{"/rotate_packets", std::int64_t{1}}, {"/max_files", std::int64_t{1}}, {"/compress", "gzip"}}));
  {
    SinkDriver first(plugin(), one_a_file);
    ASSERT_TRUE(first.open());
    first.write(Packets(numbered_texts(1, 4)));
    write_file(path("out-000003.pcap.gz.part"), "of a compressor at work");
    const std::vector<std::string> before = names();
    ASSERT_TRUE(second.open());
    EXPECT_EQ(second.write(Packets({"two"})).status, NFBUS_RETRY);
    EXPECT_EQ(second.tick(), NFBUS_OK);
    EXPECT_EQ(names(), before);
    first.write(Packets(numbered_texts(5, 1)));
    EXPECT_EQ(second.tick(), NFBUS_OK);
    EXPECT_EQ(names().size(), before.size() + 1);
    EXPECT_THAT(second.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("of that name"))));
  }
  EXPECT_EQ(second.write(Packets({"two", "three"})).status, NFBUS_OK);
  EXPECT_TRUE(ticks_until(second, [&] {
    return names() == std::vector<std::string>{"out-000006.pcap.gz", "out-000007.pcap.part"};
  })) << testing::PrintToString(names());
}

// ---- A file that others touch ----

TEST_F(PcapTest, MakesANewFileAtOnceWhenItsFileIsRemoved) {
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"one"}));
  fs::remove(file());
  EXPECT_EQ(sink.write(Packets({"two"})).status, NFBUS_OK);
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("two"));
}

TEST_F(PcapTest, FollowsALogrotateAndBeginsAgainWhenItsFileIsEmptied) {
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"one"}));
  fs::rename(file(), path("old"));
  EXPECT_EQ(sink.reopen(), NFBUS_OK);
  sink.write(Packets({"two"}));
  fs::resize_file(file(), 0);
  sink.write(Packets({"three"}));
  EXPECT_THAT(read_capture(path("old")).texts(), ElementsAre("one"));
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("three"));
  fs::rename(path("old"), file());
  sink.write(Packets({"four"}));
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("one", "four"));
}

TEST_F(PcapTest, WaitsForItsFolderAndSaysSoOnce) {
  SinkDriver sink(plugin(), options({{"/file", (folder_ / "sub/out.pcap").string()}}));
  ASSERT_TRUE(sink.open());
  for (int i = 0; i < 3; ++i) {
    const Written written = sink.write(Packets({"one"}));
    EXPECT_EQ(written.status, NFBUS_RETRY);
    EXPECT_EQ(written.done, 0U);
    EXPECT_THAT(written.error, HasSubstr("create " + (folder_ / "sub").string()));
    EXPECT_EQ(sink.tick(), NFBUS_OK);
  }
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("there is no such folder"))));
  fs::create_directory(folder_ / "sub");
  EXPECT_EQ(sink.write(Packets({"one"})).status, NFBUS_OK);
  EXPECT_THAT(read_capture(folder_ / "sub/out.pcap").texts(), ElementsAre("one"));
  EXPECT_THAT(sink.host.logged.back(), Pair(NFBUS_LOG_INFO, HasSubstr("again")));
}

// ---- A full disk ----

TEST_F(PcapTest, AFullDiskLeavesWholePacketsAndTheRestComesAgain) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(plugin(), options({{"/format", format}, {"/file", path(format).string()}}));
    ASSERT_TRUE(sink.open());
    const std::vector<std::string> texts(40, std::string(100, 'x'));
    const Packets packets(texts);
    limit_file_size(2000);
    std::size_t done = 0;
    for (int attempt = 0; attempt < 3; ++attempt) {
      const Written written = sink.write(packets, done);
      EXPECT_EQ(written.status, NFBUS_RETRY);
      done += written.done;
      const Capture capture = read_capture(path(format));
      EXPECT_EQ(capture.error, "");
      EXPECT_EQ(capture.packets.size(), done);
    }
    EXPECT_GT(done, 5U);
    limit_file_size(RLIM_INFINITY);
    EXPECT_EQ(sink.write(packets, done).status, NFBUS_OK);
    EXPECT_EQ(read_capture(path(format)).texts(), texts);
    EXPECT_EQ(sink.host.logged.size(), 2U) << "once that it fails, once that it is over";
  }
}

TEST_F(PcapTest, AFullDiskThatTakesNoHeaderLeavesNothingBroken) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}}));
  limit_file_size(10);
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets({"one"})).status, NFBUS_RETRY);
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  EXPECT_EQ(fs::file_size(path("out-000001.pcap.part")), 0U);
  limit_file_size(RLIM_INFINITY);
  EXPECT_EQ(sink.write(Packets({"one"})).status, NFBUS_OK);
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap.part"));
  EXPECT_THAT(read_capture(path("out-000001.pcap.part")).texts(), ElementsAre("one"));
}

TEST_F(PcapTest, AFloorOfFreeSpaceThatIsNotThereStopsIt) {
  SinkDriver sink(plugin(), options({{"/min_free_bytes", std::int64_t{1} << 60U}}));
  ASSERT_TRUE(sink.open());
  const Written written = sink.write(Packets({"one"}));
  EXPECT_EQ(written.status, NFBUS_RETRY);
  EXPECT_THAT(written.error, HasSubstr("min_free_bytes"));
  EXPECT_THAT(read_capture(file()).texts(), IsEmpty());
}

// ---- Rotation ----

TEST_F(PcapTest, RotatesByCountWithAPartThatBecomesAFile) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{2}}}));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets(numbered_texts(1, 5))).status, NFBUS_OK);
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap", "out-000003.pcap.part"));
  EXPECT_THAT(read_capture(path("out-000001.pcap")).texts(), ElementsAre("1", "2"));
  EXPECT_THAT(read_capture(path("out-000002.pcap")).texts(), ElementsAre("3", "4"));
  EXPECT_THAT(read_capture(path("out-000003.pcap.part")).texts(), ElementsAre("5"));
}

TEST_F(PcapTest, AnEndCompletesTheFileAndLeavesNoEmptyOne) {
  for (int i = 0; i < 2; ++i) {
    SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{2}}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"one"}));
  }
  { SinkDriver(plugin(), options({{"/rotate_packets", std::int64_t{2}}})).open(); }
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap"));
}

TEST_F(PcapTest, RotatesBySizeAndNoFileIsLarger) {
  for (const char* format : {"pcap", "pcapng"}) {
    fs::create_directory(path(format));
    {
      SinkDriver sink(plugin(), options({{"/file", (path(format) / "out").string()},
                                         {"/format", format},
                                         {"/rotate_bytes", std::int64_t{2000}}}));
      ASSERT_TRUE(sink.open());
      Packets packets(std::vector<std::string>(100, std::string(100, 'x')));
      packets.event(50).lost_before = 3;
      EXPECT_EQ(sink.write(packets).status, NFBUS_OK);
    }
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(path(format))) {
      EXPECT_LE(entry.file_size(), 2000U);
      count += read_capture(entry.path()).packets.size();
    }
    EXPECT_EQ(count, 100U);
  }
}

TEST_F(PcapTest, APacketLargerThanTheLimitGetsAFileOfItsOwn) {
  SinkDriver sink(plugin(), options({{"/rotate_bytes", std::int64_t{60}}}));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets({"one", std::string(100, 'x'), "three"})).status, NFBUS_OK);
  EXPECT_THAT(read_capture(path("out-000001.pcap")).texts(), ElementsAre("one"));
  EXPECT_THAT(read_capture(path("out-000002.pcap")).texts(), ElementsAre(std::string(100, 'x')));
}

TEST_F(PcapTest, RotatesByAgeAlsoWhenNothingArrivesButNoEmptyFile) {
  SinkDriver sink(plugin(), options({{"/rotate_age_s", std::int64_t{1}}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"one"}));
  EXPECT_TRUE(ticks_until(sink, [&] { return fs::exists(path("out-000001.pcap")); }));
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap.part"));
}

TEST_F(PcapTest, KeepsSoManyFilesAndTouchesNoOthers) {
  write_file(path("out-000000.txt"), "mine");
  write_file(path("outer-000001.pcap"), "mine");
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}, {"/max_files", std::int64_t{2}}}));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets(numbered_texts(1, 6))).status, NFBUS_OK);
  EXPECT_THAT(names(), ElementsAre("out-000000.txt", "out-000004.pcap", "out-000005.pcap", "out-000006.pcap.part",
                                   "outer-000001.pcap"));
}

TEST_F(PcapTest, KeepsSoManyBytesAcrossStarts) {
  const Values values = options({{"/rotate_bytes", std::int64_t{500}}, {"/max_total_bytes", std::int64_t{2000}}});
  for (int start = 0; start < 3; ++start) {
    SinkDriver sink(plugin(), values);
    ASSERT_TRUE(sink.open());
    EXPECT_EQ(sink.write(Packets(std::vector<std::string>(50, std::string(84, 'x')))).status, NFBUS_OK);
    std::uintmax_t total = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) total += entry.file_size();
    EXPECT_LE(total, 2000U);
    EXPECT_GT(total, 1000U);
  }
}

TEST_F(PcapTest, FilesThatSomebodyRemovedCostNoOthers) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}, {"/max_files", std::int64_t{4}}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets(numbered_texts(1, 5)));
  fs::remove(path("out-000002.pcap"));
  fs::remove(path("out-000004.pcap"));
  sink.write(Packets(numbered_texts(6, 2)));
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000003.pcap", "out-000005.pcap", "out-000006.pcap",
                                   "out-000007.pcap.part"));
}

TEST_F(PcapTest, AFileThatCannotBeRemovedCountsAndGoesAsSoonAsItCan) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}, {"/max_files", std::int64_t{2}}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets(numbered_texts(1, 2)));
  fs::remove(path("out-000001.pcap"));
  fs::create_directories(path("out-000001.pcap"));
  sink.write(Packets(numbered_texts(3, 5)));
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000006.pcap", "out-000007.pcap.part"));
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("cannot remove"))));
  fs::remove(path("out-000001.pcap"));
  write_file(path("out-000001.pcap"), "to go");
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  sink.write(Packets(numbered_texts(8, 1)));
  EXPECT_THAT(names(), ElementsAre("out-000006.pcap", "out-000007.pcap", "out-000008.pcap.part"));
}

TEST_F(PcapTest, GoesOnWithTheNumberAndThePartThatACrashLeft) {
  const Values values = options({{"/rotate_packets", std::int64_t{2}}});
  {
    SinkDriver sink(plugin(), values);
    ASSERT_TRUE(sink.open());
    sink.write(Packets(numbered_texts(1, 3)));
    fs::copy(path("out-000002.pcap.part"), path("saved"));
  }
  fs::remove(path("out-000002.pcap"));
  write_file(path("out-000002.pcap.part"), read_file(path("saved")) + "half a rec");
  write_file(path("out-000001.pcap.part"), read_file(path("saved")).substr(0, kHeader));
  SinkDriver sink(plugin(), values);
  ASSERT_TRUE(sink.open());
  sink.write(Packets(numbered_texts(4, 2)));
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap", "out-000003.pcap.part", "saved"));
  EXPECT_THAT(read_capture(path("out-000002.pcap")).texts(), ElementsAre("3", "4"));
  EXPECT_THAT(read_capture(path("out-000003.pcap.part")).texts(), ElementsAre("5"));
}

TEST_F(PcapTest, APartOfAnotherFormatIsCompletedAsItIs) {
  {
    SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{9}}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"one"}));
    fs::copy(path("out-000001.pcap.part"), path("saved"));
  }
  fs::remove(path("out-000001.pcap"));
  fs::rename(path("saved"), path("out-000001.pcap.part"));
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{9}}, {"/format", "pcapng"}}));
  ASSERT_TRUE(sink.open());
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap.part"));
  EXPECT_THAT(read_capture(path("out-000001.pcap")).texts(), ElementsAre("one"));
}

TEST_F(PcapTest, ARotationThatFailsLosesNothingAndIsSaidOnce) {
  fs::create_directory(path("in"));
  SinkDriver sink(plugin(), options({{"/file", path("in/out.pcap").string()}, {"/rotate_packets", std::int64_t{1}}}));
  ASSERT_TRUE(sink.open());
  fs::rename(path("in"), path("away"));
  EXPECT_EQ(sink.write(Packets(numbered_texts(1, 3))).status, NFBUS_OK);
  EXPECT_EQ(sink.write(Packets(numbered_texts(4, 1))).status, NFBUS_OK);
  EXPECT_THAT(read_capture(path("away/out-000001.pcap.part")).texts(), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("cannot rotate"))));
}

TEST_F(PcapTest, ANameThatSomebodyTookCostsANumberAndNoRotation) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}}));
  ASSERT_TRUE(sink.open());
  fs::create_directory(path("out-000001.pcap"));
  write_file(path("out-000002.pcap"), "mine");
  EXPECT_EQ(sink.write(Packets(numbered_texts(1, 2))).status, NFBUS_OK);
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap", "out-000003.pcap", "out-000004.pcap.part"));
  EXPECT_THAT(read_capture(path("out-000003.pcap")).texts(), ElementsAre("1"));
  EXPECT_EQ(read_file(path("out-000002.pcap")), "mine");
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_INFO, HasSubstr("it is out-000003.pcap now"))));
}

// As on a file system that knows no renaming without replacing.
TEST_F(PcapTest, ARenamingThatACrashCutInTheMiddleGoesOn) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}}));
  ASSERT_TRUE(sink.open());
  fs::create_hard_link(path("out-000001.pcap.part"), path("out-000001.pcap"));
  EXPECT_EQ(sink.write(Packets(numbered_texts(1, 2))).status, NFBUS_OK);
  EXPECT_THAT(names(), ElementsAre("out-000001.pcap", "out-000002.pcap.part"));
  EXPECT_THAT(read_capture(path("out-000001.pcap")).texts(), ElementsAre("1"));
}

TEST_F(PcapTest, TenThousandRotationsLeaveWhatIsToStay) {
  SinkDriver sink(plugin(), options({{"/rotate_packets", std::int64_t{1}}, {"/max_files", std::int64_t{10}}}));
  ASSERT_TRUE(sink.open());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(sink.write(Packets(numbered_texts(i * 1000, 1000))).status, NFBUS_OK);
  }
  EXPECT_THAT(sink.host.logged, IsEmpty());
  EXPECT_EQ(names().size(), 11U);
  EXPECT_THAT(read_capture(path("out-009999.pcap")).texts(), ElementsAre("9998"));
}

}  // namespace
}  // namespace nfbus::test
