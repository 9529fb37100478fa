#include "support/repeats.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nfbus::host::log {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class RepeatedLines : public testing::Test {
 protected:
  bool admit(std::string_view kind, std::string_view source = "sink.a") {
    return repeats_.admit(Level::warning, source, kind, std::string(kind) + " happened", now_);
  }
  std::vector<std::string> said_after(seconds later) {
    now_ += later;
    std::vector<std::string> said;
    repeats_.say_due(now_, [&](Level, std::string_view source, std::string_view line) {
      said.push_back(std::string(source) + ": " + std::string(line));
    });
    return said;
  }

  Repeats repeats_;
  Repeats::Clock::time_point now_{};
};

TEST_F(RepeatedLines, AreSaidOnceAndCountedAfterTenSeconds) {
  EXPECT_TRUE(admit("fire"));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(admit("fire"));
  EXPECT_THAT(said_after(seconds(9)), IsEmpty());
  EXPECT_THAT(said_after(seconds(1)), ElementsAre("sink.a: fire happened (5 more like it in 10 s)"));
}

TEST_F(RepeatedLines, AreCountedLaterAndLaterWhileTheyLast) {
  std::size_t summaries = 0;
  admit("fire");
  for (int second = 0; second < 3600; ++second) {
    EXPECT_FALSE(admit("fire"));
    summaries += said_after(seconds(1)).size();
  }
  EXPECT_GE(summaries, 6U);
  EXPECT_LE(summaries, 12U);
}

TEST_F(RepeatedLines, AreSaidAgainAtOnceWhenTheyWereOver) {
  EXPECT_TRUE(admit("fire"));
  EXPECT_THAT(said_after(seconds(10)), IsEmpty());
  EXPECT_EQ(repeats_.next_due(), Repeats::Clock::time_point::max());
  EXPECT_TRUE(admit("fire"));
}

TEST_F(RepeatedLines, AreOfAnotherKindOrSourceEachForItself) {
  EXPECT_TRUE(admit("fire"));
  EXPECT_TRUE(admit("flood"));
  EXPECT_TRUE(admit("fire", "sink.b"));
}

TEST_F(RepeatedLines, OfTooManyKindsCountTogether) {
  int said = 0;
  for (int i = 0; i < 1000; ++i) said += admit("kind " + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(said, static_cast<int>(Repeats::kMostKinds));
  EXPECT_TRUE(admit("fire", "sink.b"));
  EXPECT_THAT(said_after(seconds(10)), ElementsAre("sink.a: " + std::to_string(1000 - Repeats::kMostKinds) +
                                                   " other lines in 10 s were held back, such as: kind 32 happened"));
}

TEST_F(RepeatedLines, OfLessWeightKeepNoWarningBack) {
  for (int i = 0; i < 100; ++i) repeats_.admit(Level::info, "bus", "said " + std::to_string(i), "said", now_);
  EXPECT_TRUE(repeats_.admit(Level::warning, "bus", "fire", "fire", now_));
  EXPECT_FALSE(repeats_.admit(Level::warning, "bus", "fire", "fire", now_));
  EXPECT_TRUE(repeats_.admit(Level::error, "bus", "flood", "flood", now_));
  EXPECT_FALSE(repeats_.admit(Level::info, "bus", "one more", "one more", now_));
}

TEST_F(RepeatedLines, OfTooManyKindsAreShownByOneOfTheWeightiest) {
  for (int i = 0; i < 40; ++i) admit("kind " + std::to_string(i));
  said_after(seconds(10));
  for (int i = 0; i < 32; ++i) admit("kind " + std::to_string(i));
  repeats_.admit(Level::info, "sink.a", "new", "new happened", now_);
  admit("fire");
  EXPECT_THAT(said_after(seconds(20)),
              testing::Contains(testing::HasSubstr("2 other lines in 20 s were held back, such as: fire")));
}

TEST_F(RepeatedLines, AreAllCountedAtTheEnd) {
  admit("fire");
  admit("fire");
  std::vector<std::string> said;
  now_ += seconds(2);
  repeats_.say_all(now_, [&](Level, std::string_view, std::string_view line) { said.emplace_back(line); });
  EXPECT_THAT(said, ElementsAre("fire happened (1 more like it in 2 s)"));
}

}  // namespace
}  // namespace nfbus::host::log
