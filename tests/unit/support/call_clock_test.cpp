#include "support/call_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace nfbus::host {
namespace {

TEST(CallClock, TellsOfTheCallThatRunsAndOfNoneBetweenCalls) {
  CallClock clock("sink.archive");
  EXPECT_FALSE(clock.now());
  clock.begin("write");
  const auto first = clock.now();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->instance, "sink.archive");
  EXPECT_EQ(first->function, "write");
  EXPECT_EQ(first->thread, ::gettid());
  EXPECT_GE(clock.now()->lasts, first->lasts);
  EXPECT_EQ(clock.now()->number, first->number);
  clock.end();
  EXPECT_FALSE(clock.now());
  clock.begin("tick");
  EXPECT_EQ(clock.now()->function, "tick");
  EXPECT_NE(clock.now()->number, first->number);
}

TEST(CallClock, NeverMixesTwoCalls) {
  CallClock clock("sink.archive");
  std::atomic<bool> ends = false;
  std::thread caller([&] {
    while (!ends) {
      clock.begin("write");
      clock.end();
      clock.begin("a_longer_name");
      clock.end();
    }
  });
  for (int seen = 0; seen < 1000;) {
    const auto call = clock.now();
    if (!call) continue;
    ++seen;
    const bool odd = call->number % 2 == 1;
    EXPECT_EQ(call->function, odd ? "write" : "a_longer_name");
  }
  ends = true;
  caller.join();
}

TEST(RunningCalls, AreThoseThatLastLongEnough) {
  CallClock quiet("filter.few");
  CallClock busy("sink.archive");
  RunningCalls calls;
  calls.add(quiet);
  calls.add(busy);
  busy.begin("write");
  ASSERT_EQ(calls.longer_than({}).size(), 1U);
  EXPECT_EQ(calls.longer_than({}).front().instance, "sink.archive");
  EXPECT_TRUE(calls.longer_than(std::chrono::hours(1)).empty());
  CallClock source("source.feed", CallClock::Lasts::for_good);
  calls.add(source);
  source.begin("run");
  EXPECT_EQ(calls.longer_than({}).size(), 1U) << "that it runs is nothing to be told";
  EXPECT_EQ(calls.all_longer_than({}).size(), 2U);
  calls.remove(source);
  calls.remove(busy);
  EXPECT_TRUE(calls.longer_than({}).empty());
}

TEST(RunningCalls, AreShownInWords) {
  EXPECT_EQ(to_string({.instance = "sink.archive",
                       .function = "write",
                       .lasts = std::chrono::milliseconds(34'900),
                       .thread = 1,
                       .number = 1}),
            "in write() for 34 s");
}

}  // namespace
}  // namespace nfbus::host
