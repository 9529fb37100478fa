#include "jobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace websocket {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class JobsTest : public ::testing::Test {
 protected:
  bool run(std::chrono::milliseconds time = 10s) {
    return jobs_.run(Jobs::Clock::now() + time, [this](const std::exception& e) { failed_.emplace_back(e.what()); });
  }

  Jobs jobs_;
  std::vector<std::string> failed_;
  std::vector<int> done_;
};

TEST_F(JobsTest, AreDoneInTheirOrderAndALongOneInPiecesBehindOthers) {
  int pieces = 0;
  jobs_.post([&](auto) {
    if (++pieces < 3) return false;
    done_.push_back(1);
    return true;
  });
  for (const int number : {2, 3}) {
    jobs_.post([&, number](auto) {
      done_.push_back(number);
      return true;
    });
  }
  EXPECT_EQ(jobs_.size(), 3U);
  EXPECT_FALSE(run());
  EXPECT_THAT(done_, ElementsAre(2, 3, 1));
  EXPECT_EQ(jobs_.size(), 0U);
}

TEST_F(JobsTest, OneThatThrowsIsOverAndCostsNoOther) {
  for (int i = 0; i < 2; ++i) jobs_.post([](auto) -> bool { throw std::runtime_error("too bad"); });
  jobs_.post([&](auto) {
    done_.push_back(1);
    return true;
  });
  EXPECT_FALSE(run());
  EXPECT_THAT(failed_, ElementsAre("too bad", "too bad"));
  EXPECT_THAT(done_, ElementsAre(1));
  EXPECT_EQ(jobs_.size(), 0U);
}

TEST_F(JobsTest, AreDroppedForGood) {
  const auto held = std::make_shared<int>(1);
  const auto add = [&] { jobs_.post([held](auto) { return false; }); };
  add();
  EXPECT_TRUE(run(0ms));  // one that is begun
  add();
  EXPECT_EQ(jobs_.size(), 2U);
  EXPECT_EQ(held.use_count(), 3);
  jobs_.close();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(jobs_.size(), 0U);
  add();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(jobs_.size(), 0U);
  EXPECT_FALSE(run());
}

}  // namespace
}  // namespace websocket
