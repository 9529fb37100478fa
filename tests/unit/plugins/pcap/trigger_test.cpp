// The sink with `when`: what is written around the packets that matter.
#include "captures.hpp"

namespace nfbus::test {
namespace {

// "a>b 1!" is a packet from the host a to the host b, which matters.
class Talk : public Packets {
 public:
  explicit Talk(const std::vector<std::string>& said) : Packets(frames(said)) {
    for (std::size_t i = 0; i < said.size(); ++i) event(i).layers = NFBUS_LAYER_IPV4;
  }

 private:
  // The addresses stand where IPv4 has them.
  static std::vector<std::string> frames(const std::vector<std::string>& said) {
    std::vector<std::string> out;
    for (const std::string& text : said) {
      std::string frame(20, '\0');
      frame[15] = text[0];
      frame[19] = text[2];
      out.push_back(frame + text);
    }
    return out;
  }
};

class PcapTriggerTest : public PcapTest {
 protected:
  // Two packets before and three after, where nothing else is said.
  explicit PcapTriggerTest(const Values& changes = {}) : sink_(plugin(), with_when(changes), matches()) {
    EXPECT_TRUE(sink_.open());
  }

  Values with_when(Values changes) {
    changes.insert({"/when", Array{.count = 1, .json = "matters"}});
    return options(changes);
  }
  static std::map<std::string, FakeHost::FakeMatch> matches() {
    return {{"matters", [](nfbus::Event event) { return event.payload().back() == '!' ? 1U : 0U; }}};
  }

  [[nodiscard]] std::vector<std::string> written() const {
    std::vector<std::string> out = read_capture(file()).texts();
    for (std::string& text : out) text.erase(0, 20);
    return out;
  }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    for (const auto& [known, value] : sink_.host.counters) {
      if (known == name) return value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  SinkDriver sink_;
};

TEST_F(PcapTriggerTest, WritesWhatWentBeforeAndCameAfterBetweenTheSameTwo) {
  const Talk talk({"a>b 1", "a>b 2", "c>d 1", "b>a 3", "a>b 4!", "c>d 2", "b>a 5", "a>b 6", "a>b 7", "a>b 8"});
  const Written result = sink_.write(talk);
  EXPECT_EQ(result.status, NFBUS_OK);
  EXPECT_THAT(result.rejected, IsEmpty());
  EXPECT_THAT(written(), ElementsAre("a>b 2", "b>a 3", "a>b 4!", "b>a 5", "a>b 6", "a>b 7"));
  EXPECT_EQ(counter("unwritten"), 1U) << "a>b 1; the others may still be asked for";
}

TEST_F(PcapTriggerTest, HoldsPacketsAcrossBatchesAndGivesTheirCopiesBack) {
  const Talk before({"a>b 1", "c>d 1"});
  const Talk trigger({"a>b 2!"});
  const Talk after({"a>b 3", "c>d 2!"});
  sink_.write(before);
  EXPECT_THAT(written(), IsEmpty());
  sink_.write(trigger);
  sink_.write(after);
  EXPECT_THAT(written(), ElementsAre("a>b 1", "a>b 2!", "a>b 3", "c>d 1", "c>d 2!"));
  EXPECT_EQ(sink_.host.copies_held, 0);
}

TEST_F(PcapTriggerTest, AnotherOneThatMattersBeginsTheCountAnew) {
  sink_.write(Talk({"a>b 1!", "a>b 2", "a>b 3!", "a>b 4", "a>b 5", "a>b 6", "a>b 7"}));
  EXPECT_THAT(written(), ElementsAre("a>b 1!", "a>b 2", "a>b 3!", "a>b 4", "a>b 5", "a>b 6"));
}

TEST_F(PcapTriggerTest, AWriteThatFailsGoesOnWhereItStoppedAndWritesNothingTwice) {
  std::vector<std::string> said{"a>b 1", "a>b 2", "c>d 1", "a>b 3!", "a>b 4", "c>d 2!", "c>d 3", "e>f 1"};
  const Talk talk(said);
  for (rlim_t size = 24 + 10; size < 24 + 8 * 44; size += 44) {
    SinkDriver sink(plugin(), with_when({{"/file", path(std::to_string(size)).string()}}), matches());
    ASSERT_TRUE(sink.open());
    limit_file_size(size);
    const Written first = sink.write(talk);
    limit_file_size(RLIM_INFINITY);
    const std::size_t done = first.status == NFBUS_OK ? said.size() : first.done;
    if (done < said.size()) {
      EXPECT_EQ(sink.write(talk, done).status, NFBUS_OK);
    }
    std::vector<std::string> texts = read_capture(path(std::to_string(size))).texts();
    for (std::string& text : texts) text.erase(0, 20);
    EXPECT_THAT(texts, ElementsAre("a>b 1", "a>b 2", "a>b 3!", "a>b 4", "c>d 1", "c>d 2!", "c>d 3")) << size;
    EXPECT_EQ(sink.host.copies_held, 1) << "e>f 1";
  }
}

TEST_F(PcapTriggerTest, ShortMemoryLosesContextAndNothingElse) {
  sink_.host.memory_is_short = true;
  sink_.write(Talk({"a>b 1", "a>b 2!", "a>b 3"}));
  EXPECT_THAT(written(), ElementsAre("a>b 2!", "a>b 3"));
  EXPECT_EQ(counter("context_dropped"), 1U);
}

class PcapSmallTriggerTest : public PcapTriggerTest {
 protected:
  PcapSmallTriggerTest()
      : PcapTriggerTest({{"/context_bytes", std::int64_t{65536}}, {"/before", std::int64_t{1000}}}) {}
};

TEST_F(PcapSmallTriggerTest, HoldsSoManyBytesAndDropsTheOldestFirst) {
  std::vector<std::string> said;
  said.reserve(300);
  for (int i = 0; i < 300; ++i) said.push_back((i % 2 == 0 ? "a>b " : "c>d ") + std::to_string(i));
  const Talk talk(said);
  sink_.write(talk);
  const auto held = static_cast<std::uint64_t>(sink_.host.copies_held);
  EXPECT_LT(held, 65U);
  EXPECT_GT(held, 30U);
  EXPECT_EQ(counter("context_dropped") + held, 300U);
  const Talk trigger({"a>b 300!"});
  sink_.write(trigger);
  const std::vector<std::string> out = written();
  EXPECT_EQ(out.size(), held / 2 + 1);
  EXPECT_EQ(out.front(), said[300 - 2 * (held / 2)]);
}

TEST_F(PcapTriggerTest, WhatIsStillHeldAtTheEndWasWantedByNobody) {
  const Talk talk({"a>b 1", "c>d 1", "c>d 2"});
  sink_.write(talk);
  EXPECT_EQ(counter("unwritten"), 0U);
  sink_.close();
  EXPECT_EQ(counter("unwritten"), 3U);
  EXPECT_EQ(sink_.host.copies_held, 0);
}

TEST_F(PcapTriggerTest, AFifoGetsNothingWhileNothingMatters) {
  SinkDriver sink(plugin(), with_when({{"/file", path("fifo").string()}, {"/fifo", true}}), matches());
  ASSERT_TRUE(sink.open());
  const Talk unheard({"a>b 1"});
  const Talk before({"c>d 1"});
  const Talk trigger({"c>d 2!"});
  EXPECT_THAT(sink.write(unheard).rejected, IsEmpty()) << "it is held";
  Reader reader(path("fifo"));
  EXPECT_EQ(sink.write(before).status, NFBUS_OK);
  EXPECT_EQ(sink.write(trigger).status, NFBUS_OK);
  EXPECT_EQ(reader.capture(path("read")).packets.size(), 2U);
}

TEST_F(PcapTriggerTest, PacketsWithoutAddressesAreOnePair) {
  Packets packets({"x1", "x2", "x!"});
  sink_.write(packets);
  EXPECT_THAT(read_capture(file()).texts(), ElementsAre("x1", "x2", "x!"));
}

TEST_F(PcapTriggerTest, AWrongMatchIsSaid) {
  const SinkDriver sink(plugin(), with_when({{"/when", Array{.count = 1, .json = "other"}}}), matches());
  EXPECT_FALSE(sink.created());
  EXPECT_THAT(sink.error(), testing::HasSubstr("unknown match"));
  const SinkDriver none(plugin(), with_when({{"/when", Array{.count = 0, .json = "[]"}}}), matches());
  EXPECT_FALSE(none.created());
  EXPECT_THAT(none.error(), testing::HasSubstr("holds for no packet"));
}

}  // namespace
}  // namespace nfbus::test
