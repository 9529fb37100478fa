#include "delivery/failure_news.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

using Say = FailureNews::Say;
using std::chrono::milliseconds;
using std::chrono::seconds;

class News : public testing::Test {
 protected:
  // Fails and works by turns; how often something was said.
  int flap(seconds time, milliseconds half) {
    int said = 0;
    for (const auto end = now_ + time; now_ < end; now_ += half) {
      said += news_.failed(now_) == Say::nothing ? 0 : 1;
      now_ += half;
      said += news_.worked(now_) == Say::nothing ? 0 : 1;
    }
    return said;
  }

  FailureNews news_;
  FailureNews::Clock::time_point now_{seconds(1000)};
};

TEST_F(News, OfATroubleAndItsEndComeAtOnce) {
  EXPECT_EQ(news_.failed(now_), Say::failure);
  EXPECT_EQ(news_.failed(now_ + seconds(60)), Say::nothing);
  EXPECT_EQ(news_.worked(now_ + seconds(61)), Say::recovery);
  EXPECT_EQ(news_.take_retries(), 2U);
}

TEST_F(News, OfASinkThatFlapsComeSeldomerAndSeldomer) {
  EXPECT_LE(flap(seconds(9), milliseconds(50)), 2);
  EXPECT_LE(flap(seconds(3600), milliseconds(50)), 30);
}

TEST_F(News, OfShortTroublesComeTogetherWhenTheyAreOver) {
  flap(seconds(1), milliseconds(100));
  ASSERT_NE(news_.due(), FailureNews::kNever);
  EXPECT_EQ(news_.poll(news_.due() - milliseconds(1)), Say::nothing);
  EXPECT_EQ(news_.poll(news_.due()), Say::held_back);
  EXPECT_GT(news_.take_failures(), 1U);
  EXPECT_EQ(news_.due(), FailureNews::kNever);
}

TEST_F(News, OfATroubleThatLastsComeInTenSecondsHoweverTheSinkFlappedBefore) {
  flap(seconds(3600), milliseconds(50));
  news_.worked(now_);
  EXPECT_EQ(news_.failed(now_), Say::nothing);
  EXPECT_EQ(news_.poll(now_ + FailureNews::kFirstInterval), Say::failure);
}

}  // namespace
}  // namespace nfbus::host
