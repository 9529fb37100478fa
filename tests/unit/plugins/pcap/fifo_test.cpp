// The sink through its entry, writing to a FIFO.
#include "captures.hpp"

#include <sys/stat.h>

#include <deque>
#include <optional>

namespace nfbus::test {
namespace {

class PcapFifoTest : public PcapTest {
 protected:
  [[nodiscard]] Values fifo(const Values& changes = {}) const {
    Values out = options(changes);
    out["/fifo"] = true;
    return out;
  }
  Capture capture(Reader& reader) { return reader.capture(path("read")); }
  static std::uint64_t missed(const SinkDriver& sink) { return sink.host.counters.at(0).second; }
};

TEST_F(PcapFifoTest, MakesItsFifoAndWaitsForNobody) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  EXPECT_TRUE(fs::is_fifo(file()));
  const Written written = sink.write(Packets({"one", "two"}));
  EXPECT_EQ(written.status, NFBUS_OK);
  EXPECT_THAT(written.rejected, ElementsAre(Pair(0U, ""), Pair(1U, ""))) << "nobody got them";
  EXPECT_THAT(sink.host.logged, IsEmpty());
}

TEST_F(PcapFifoTest, AReaderGetsAHeaderAtOnceAndThenWhatComes) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(plugin(), fifo({{"/format", format}}));
    ASSERT_TRUE(sink.open());
    sink.write(Packets({"before"}));
    Reader reader(file());
    sink.tick();
    reader.read();
    EXPECT_THAT(reader.text(), SizeIs(Ge(24U)));
    const Written written = sink.write(Packets({"one", "two"}));
    EXPECT_EQ(written.status, NFBUS_OK);
    EXPECT_THAT(written.rejected, IsEmpty());
    EXPECT_THAT(capture(reader).texts(), ElementsAre("one", "two"));
  }
}

TEST_F(PcapFifoTest, APcapngReaderLearnsAtOnceOfInterfacesThatWereSeenBefore) {
  SinkDriver sink(plugin(), fifo({{"/format", "pcapng"}}));
  ASSERT_TRUE(sink.open());
  sink.write(Packets({"before"}));
  Reader reader(file());
  sink.tick();
  const Capture got = capture(reader);
  EXPECT_EQ(got.error, "") << "libpcap reads no stream without an interface";
  EXPECT_EQ(got.link, DLT_RAW);
}

TEST_F(PcapFifoTest, TwentyReadersOneAfterAnotherEachGetAStreamOfTheirOwn) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(plugin(), fifo({{"/format", format}}));
    ASSERT_TRUE(sink.open());
    std::optional<Reader> before;
    for (int i = 0; i < 20; ++i) {
      // The last reader leaves with half a packet read, a moment before or after this one comes.
      if (i % 2 == 0) before.reset();
      Reader reader(file());
      if (i % 2 == 1) before.reset();
      ASSERT_TRUE(reader.is_open());
      EXPECT_EQ(sink.write(Packets({"x" + std::to_string(i), std::string(3000, 'y'), std::string(9000, 'z')})).status,
                NFBUS_OK);
      const Capture got = capture(reader);
      EXPECT_EQ(got.error, "");
      EXPECT_THAT(got.texts(), ElementsAre("x" + std::to_string(i), std::string(3000, 'y'), std::string(9000, 'z')));
      sink.write(Packets({std::string(5000, 'w'), "last"}));
      before.emplace(file());
      sink.write(Packets({std::string(5000, 'v'), "last"}));
      before->read(2000);
    }
  }
}

TEST_F(PcapFifoTest, SeveralReadersAtATimeSeeTheSame) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  Reader first(file());
  sink.write(Packets({"one"}));
  Reader second(file());
  sink.write(Packets({"two"}));
  EXPECT_THAT(capture(first).texts(), ElementsAre("one", "two"));
  EXPECT_THAT(capture(second).texts(), ElementsAre("two"));
  first.leave();
  EXPECT_THAT(sink.write(Packets({"three"})).rejected, IsEmpty());
  EXPECT_THAT(capture(second).texts(), ElementsAre("two", "three"));
}

TEST_F(PcapFifoTest, AReaderThatStopsMissesWholePacketsAndTheyAreCounted) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(plugin(), fifo({{"/format", format}}));
    ASSERT_TRUE(sink.open());
    Reader stopped(file());
    sink.tick();
    Reader reading(file());
    sink.tick();
    std::vector<std::string> all;
    std::size_t rejected = 0;
    for (int batch = 0; batch < 40; ++batch) {
      std::vector<std::string> texts;
      for (int i = 0; i < 100; ++i) {
        texts.push_back(std::to_string(batch * 100 + i) + std::string(static_cast<std::size_t>(i * 13), 'x'));
      }
      Packets packets(texts);
      // Descriptions of interfaces must come even to those who missed their packets.
      const std::string name = "eth" + std::to_string(batch);
      for (std::size_t i = 0; i < texts.size(); ++i) packets.event(i).in_name = {name.data(), name.size()};
      const Written written = sink.write(packets);
      EXPECT_EQ(written.status, NFBUS_OK);
      rejected += written.rejected.size();
      reading.read();
      all.insert(all.end(), texts.begin(), texts.end());
    }
    EXPECT_EQ(rejected, 0U) << "one of them got all";
    EXPECT_EQ(capture(reading).texts(), all);
    const std::uint64_t so_far = missed(sink);
    EXPECT_GT(so_far, 0U);
    stopped.read();
    const Written again = sink.write(Packets({"again"}));
    const Capture got = capture(stopped);
    EXPECT_EQ(got.error, "");
    EXPECT_EQ(got.packets.size() + so_far, all.size() + 1);
    EXPECT_EQ(got.texts().back(), "again");
    for (std::size_t i = 0; i + 1 < got.packets.size(); ++i) ASSERT_EQ(got.packets[i].bytes, all[i]);
  }
}

TEST_F(PcapFifoTest, PacketsThatAreRefusedDoNotMakeAStoppedReaderOneThatReads) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  const Reader stopped(file());
  const Packets many(std::vector<std::string>(40, std::string(60000, 'x')));
  Packets refused({"one", "two"});
  for (std::size_t i = 0; i < 2; ++i) refused.event(i).ether_type = 0x0806;
  sink.write(many);
  const std::uint64_t before = missed(sink);
  EXPECT_THAT(sink.write(refused).rejected, ElementsAre(Pair(0U, HasSubstr("IP")), Pair(1U, HasSubstr("IP"))));
  EXPECT_EQ(missed(sink), before) << "nobody was to get them";
  sink.write(many);
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_INFO, HasSubstr("does not read fast enough"))))
      << "it never began again";
}

TEST_F(PcapFifoTest, SaysThatItHasAsManyReadersAsItTakes) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  std::deque<Reader> readers;
  for (int i = 0; i < 65; ++i) {
    readers.emplace_back(file());
    sink.tick();
  }
  sink.write(Packets({"one"}));
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(capture(readers[i]).packets.size(), 1U);
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("64 readers"))));
  readers.pop_front();
  sink.tick();
  sink.write(Packets({"two"}));
  EXPECT_THAT(capture(readers.back()).texts(), ElementsAre("two"));
}

TEST_F(PcapFifoTest, WhatALeavingReaderDidNotReadIsCounted) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  Reader reader(file());
  sink.write(Packets(numbered_texts(1, 9)));
  reader.read(24 + 17 + 17 + 5);  // two packets and a part of the third
  reader.leave();
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  EXPECT_EQ(missed(sink), 7U);
  EXPECT_THAT(sink.write(Packets({"nobody"})).rejected, SizeIs(1));
}

TEST_F(PcapFifoTest, APacketLargerThanAPageIsWholeForASlowReader) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  Reader reader(file());
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) texts.emplace_back(60000, static_cast<char>('a' + i % 26));
  // More than the pipe holds: with nobody reading the rest is missed.
  EXPECT_EQ(sink.write(Packets(texts)).status, NFBUS_OK);
  EXPECT_GT(missed(sink), 0U);
  const Capture got = capture(reader);
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.packets.size() + missed(sink), texts.size());
  for (std::size_t i = 0; i < got.packets.size(); ++i) EXPECT_EQ(got.packets[i].bytes, texts[i]);
}

TEST_F(PcapFifoTest, KeepsThePermissionsThatSomebodyGaveTheFifo) {
  ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
  ASSERT_EQ(chmod(file().c_str(), 0604), 0);
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  const Reader reader(file());
  sink.tick();
  struct stat found {};
  ASSERT_EQ(stat(file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0604U);
  EXPECT_THAT(names(), ElementsAre("out.pcap"));
}

// ---- Where the FIFO cannot be replaced ----

class PcapSharedPipeTest : public PcapFifoTest {
 protected:
  PcapSharedPipeTest() {
    if (mkfifo(file().c_str(), 0600) != 0) throw std::runtime_error("no FIFO");
    fs::create_directory(in_the_way());
  }
  [[nodiscard]] fs::path in_the_way() const { return path("out.pcap.next"); }  // as if the folder were not ours
};

TEST_F(PcapSharedPipeTest, OneReaderAfterAnotherBeginsWithAHeader) {
  for (const char* format : {"pcap", "pcapng"}) {
    SinkDriver sink(plugin(), fifo({{"/format", format}}));
    ASSERT_TRUE(sink.open());
    for (int i = 0; i < 20; ++i) {
      Reader reader(file());
      sink.tick();
      EXPECT_THAT(sink.write(Packets(numbered_texts(i, 3))).rejected, IsEmpty());
      const Capture got = capture(reader);
      EXPECT_EQ(got.error, "");
      EXPECT_EQ(got.texts(), numbered_texts(i, 3));
      // Every other one leaves bytes behind.
      if (i % 2 == 1) sink.write(Packets({"unread"}));
      reader.leave();
      sink.tick();
    }
    EXPECT_EQ(missed(sink), 10U);
    EXPECT_THAT(sink.host.logged, Contains(Pair(NFBUS_LOG_WARNING, HasSubstr("a pipe of its own"))).Times(1));
  }
}

TEST_F(PcapSharedPipeTest, AReaderThatIsReplacedWithinAMomentLeavesTheNextOneNothing) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  std::optional<Reader> before;
  for (int i = 0; i < 20; ++i) {
    before.reset();
    before.emplace(file());
    EXPECT_THAT(sink.write(Packets({"first", "second"})).rejected, IsEmpty());
    const Capture got = capture(*before);
    EXPECT_EQ(got.error, "");
    EXPECT_THAT(got.texts(), ElementsAre("first", "second"));
    sink.write(Packets({std::string(5000, 'u')}));
    before->read(static_cast<std::size_t>(i % 3) * 1000);  // and leaves in the middle of it
  }
  before.reset();
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  EXPECT_EQ(missed(sink), 20U);
}

TEST_F(PcapSharedPipeTest, AFileThatIsInTheWayIsLeftThere) {
  fs::remove(in_the_way());
  write_file(in_the_way(), "mine");
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  Reader reader(file());
  sink.write(Packets({"one"}));
  EXPECT_THAT(capture(reader).texts(), ElementsAre("one"));
  EXPECT_EQ(read_file(in_the_way()), "mine");
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("remove " + in_the_way().string()))));
}

TEST_F(PcapSharedPipeTest, ReadersGetPipesOfTheirOwnAsSoonAsTheyCan) {
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  {
    const Reader shared(file());
    sink.tick();
  }
  fs::remove(in_the_way());
  Reader first(file());
  sink.tick();
  Reader second(file());
  sink.tick();
  sink.write(Packets({"one"}));
  EXPECT_THAT(capture(first).texts(), ElementsAre("one"));
  EXPECT_THAT(capture(second).texts(), ElementsAre("one"));
}

// ---- Something else in its place ----

TEST_F(PcapFifoTest, SaysThatAFileIsInTheWayAndMakesTheFifoWhenItIsGone) {
  write_file(file(), "mine");
  SinkDriver sink(plugin(), fifo());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets({"one"})).rejected.size(), 1U);
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("no FIFO"))));
  fs::remove(file());
  sink.tick();
  Reader reader(file());
  sink.write(Packets({"two"}));
  EXPECT_THAT(capture(reader).texts(), ElementsAre("two"));
}

TEST_F(PcapFifoTest, WithoutFifoAFifoIsNoFile) {
  ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
  SinkDriver sink(plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write(Packets({"one"})).status, NFBUS_RETRY);
  EXPECT_THAT(sink.error(), HasSubstr("set fifo = true"));
}

}  // namespace
}  // namespace nfbus::test
