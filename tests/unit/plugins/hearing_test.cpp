#include "plugins/hearing.hpp"

#include "instances.hpp"

#include <gmock/gmock.h>

#include <array>

#include <thread>

namespace nfbus::host::test {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

// What sinks do that answer what they hear, one after the other, without a bus between them.
class HearingTest : public ::testing::Test {
 protected:
  using Hops = std::vector<unsigned>;

  // The hops of the next `answers` messages of one that hears messages of these.
  static Hops answer(const Hops& heard, std::size_t answers) {
    std::vector<BatchRef> batches;
    std::vector<const nfbus_event*> events;
    for (const unsigned hops : heard) {
      const auto origin = MessageOrigin{.hops = static_cast<std::uint8_t>(hops), .publisher = "sink.other"};
      batches.push_back(make_message("a", "1", 1, 0, origin));
      events.push_back(batches.back()->events().data());
    }
    const Hearing hearing(events);
    Hops out;
    for (std::size_t i = 0; i < answers; ++i) out.push_back(Hearing::next_answer().hops);
    return out;
  }
};

TEST_F(HearingTest, CountsNothingOutsideOfCallsAndOnOtherThreads) {
  EXPECT_EQ(Hearing::next_answer().hops, 0U);
  const BatchRef message = make_message("a", "1", 1, 0, {.hops = 3, .publisher = "sink.other"});
  const nfbus_event* const events[] = {message->events().data()};
  const Hearing hearing(events);
  unsigned elsewhere = 9;
  std::thread([&] { elsewhere = Hearing::next_answer().hops; }).join();
  EXPECT_EQ(elsewhere, 0U);
  EXPECT_EQ(Hearing::next_answer().hops, 4U);
}

TEST_F(HearingTest, CountsAMessageAboutAPacketAsTheFirst) {
  Event packet{};
  packet.kind = NFBUS_EVENT_PACKET;
  const nfbus_event* const events[] = {&packet};
  const Hearing hearing(events);
  EXPECT_EQ(Hearing::next_answer().hops, 1U);
  EXPECT_EQ(Hearing::next_answer().hops, 1U);
}

TEST_F(HearingTest, CountsEachAnswerFromOneOfThoseHeardTheFewestHopsFirst) {
  EXPECT_EQ(answer({3, 0, 5, 0}, 4), (Hops{1, 1, 4, 6}));
  EXPECT_EQ(answer({3, 0}, 4), (Hops{1, 4, 4, 4})) << "more answers than messages";
}

TEST_F(HearingTest, NeverRefusesOneSummaryOfManyMessagesWhereOneOfThemIsNew) {
  unsigned hops = 0;
  for (int i = 0; i < 100; ++i) hops = answer({hops, 7, 0}, 1).front();
  EXPECT_EQ(hops, 1U);
}

TEST_F(HearingTest, LetsAChainOfEightPassAndEndsALoop) {
  Hops heard(100, 0);
  for (unsigned sink = 1; sink <= 8; ++sink) {
    heard = answer(heard, heard.size());
    EXPECT_THAT(heard, Each(sink));
    EXPECT_LE(sink, kMostHops);
  }
  EXPECT_THAT(answer(heard, 1), Each(::testing::Gt(unsigned{kMostHops})));
}

TEST_F(HearingTest, ForgetsACallWhenItEnds) {
  EXPECT_EQ(answer({7}, 1), Hops{8});
  EXPECT_EQ(Hearing::next_answer().hops, 0U);
}

class Loops : public Instances {};

TEST_F(Loops, ASinkThatPublishesAnOldMessageOnceMoreIsRefusedAndNamed) {
  const auto echo = sink("echoes");
  const auto write = [&](std::uint8_t hops) {
    const BatchRef heard = make_message("say", "1", 1, 0, {.hops = hops, .publisher = "sink.other"});
    const nfbus_event* const events[] = {heard->events().data()};
    Outcome outcomes[] = {Outcome::unnamed};
    const WriteCall call{
        .items = events, .size_bytes = 1, .outcomes = outcomes, .reason = [](auto, auto) {}, .deadline = {}};
    EXPECT_EQ(echo->write(call).status, WriteResult::Status::ok);
  };
  write(kMostHops - 1);
  EXPECT_EQ(published_.size(), 1U);
  ::testing::internal::CaptureStderr();
  write(kMostHops);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(published_.size(), 1U);
  EXPECT_EQ(counter(echo->services(), "events"), 1U) << "the plugin was told OK for a message that was refused";
  EXPECT_THAT(said, HasSubstr("sink.archive: a message loop"));
  EXPECT_THAT(said, HasSubstr("echo:say"));
  EXPECT_THAT(said, HasSubstr("sink.other"));
}

}  // namespace
}  // namespace nfbus::host::test
