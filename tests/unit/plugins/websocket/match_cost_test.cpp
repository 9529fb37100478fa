#include "match_cost.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace websocket {
namespace {

using namespace std::chrono_literals;

// Goes on when the test says so.
struct Wall {
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<Wall, duration>;
  static time_point now() { return time_point(time); }
  static inline duration time{};
};
struct Work {
  static std::chrono::nanoseconds now() {
    ++asked;
    return time;
  }
  static inline std::chrono::nanoseconds time{};
  static inline int asked = 0;
};

class MatchCostTest : public ::testing::Test {
 protected:
  MatchCostTest() { Work::asked = 0; }
  // A test at work for that long, and stopped for that long.
  std::chrono::nanoseconds measure(std::chrono::nanoseconds work, std::chrono::nanoseconds stopped = {}) {
    return cost_.measure(Wall::now(), [&] {
      Wall::time += work + stopped;
      Work::time += work;
    });
  }

  MatchCost<Wall, Work> cost_;
};

TEST_F(MatchCostTest, IsTheTimeOfTestsAndAsksNoSystemForIt) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(measure(300ns), 300ns);
  EXPECT_EQ(cost_.spent(), 300us);
  EXPECT_EQ(cost_.tests(), 1000U);
  EXPECT_EQ(Work::asked, 0);
  cost_.forget();
  EXPECT_EQ(cost_.spent(), 0ns);
  EXPECT_EQ(cost_.tests(), 0U);
}

TEST_F(MatchCostTest, AStallIsNone) {
  for (int i = 0; i < 10; ++i) {
    measure(300ns, 150ms);
    measure(300ns);
  }
  EXPECT_LT(cost_.spent(), 10us);
}

TEST_F(MatchCostTest, AStallIsForgottenInTheEnd) {
  measure(300ns, 150ms);
  for (int i = 0; i < 100; ++i) measure(300ns);
  Work::asked = 0;
  measure(300ns);
  EXPECT_EQ(Work::asked, 0);
}

TEST_F(MatchCostTest, ALongTestIsSeenAlsoWhereOthersAreShort) {
  for (int i = 0; i < 500; ++i) {
    measure(10ms);
    measure(300ns);
  }
  EXPECT_GT(cost_.spent(), 4900ms);
  cost_.forget();
  EXPECT_EQ(measure(10ms), 10ms) << "what is known of it stays";
}

TEST_F(MatchCostTest, WhatTheThreadDoesIsItsWork) {
  MatchCost<> real;
  const auto work = [] {
    const auto begin = ThreadClock::now();
    while (ThreadClock::now() - begin < 1ms) continue;
  };
  (void)real.measure(std::chrono::steady_clock::now(), work);
  EXPECT_GE(real.measure(std::chrono::steady_clock::now(), work), 1ms);
}

}  // namespace
}  // namespace websocket
