#include "running/sources.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;

// Runs until it is stopped, or until the test ends it.
class FakeSource final : public Source {
 public:
  explicit FakeSource(std::uint16_t group, bool lossless = false, bool reloadable = true)
      : group_(group), lossless_(lossless), reloadable_(reloadable) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }
  [[nodiscard]] bool lossless() const noexcept override { return lossless_; }
  [[nodiscard]] bool reloadable() const noexcept override { return reloadable_; }
  Result<void> run() override {
    end_.get_future().wait();
    if (failure_.empty()) return {};
    return Error{.code = Code::io, .text = failure_};
  }
  void stop() noexcept override {
    if (deaf_) return;
    end();
  }
  [[nodiscard]] SourceSnapshot counters() const override { return {.name = "fake", .received = group_}; }
  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const override {
    CaptureSnapshot row{};
    row.group = group_;
    return {row};
  }

  // By itself; only the first end counts.
  void end(const std::string& failure = {}) {
    if (std::exchange(ended_, true)) return;
    failure_ = failure;
    end_.set_value();
  }
  void ignore_stops() { deaf_ = true; }

 private:
  const std::uint16_t group_;
  const bool lossless_;
  const bool reloadable_;
  bool deaf_ = false;
  bool ended_ = false;
  std::string failure_;
  std::promise<void> end_;
};

class SourcesTest : public testing::Test {
 protected:
  FakeSource& add(std::uint16_t group, bool lossless = false, bool reloadable = true) {
    auto source = std::make_unique<FakeSource>(group, lossless, reloadable);
    FakeSource& added = *source;
    sources_.add(std::move(source));
    return added;
  }
  void start() {
    sources_.start([this] { told_.set_value(); });  // a second call would throw, on the source's thread
  }
  bool are_told() { return told_.get_future().wait_for(hours(1)) == std::future_status::ready; }

  std::promise<void> told_;
  Sources sources_;
};

TEST_F(SourcesTest, TellOnceWhenTheLastOfThemHasEnded) {
  FakeSource& first = add(1);
  FakeSource& second = add(2);
  start();
  auto told = told_.get_future();
  first.end();
  EXPECT_FALSE(sources_.ended_by(steady_clock::now() + std::chrono::milliseconds(20)));
  EXPECT_EQ(told.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  second.end();
  told.wait();
  EXPECT_TRUE(sources_.ended_by(steady_clock::now() + hours(1)));
  EXPECT_TRUE(sources_.join());
}

TEST_F(SourcesTest, TellAtOnceWhenOneHasFailedAndGoOnWithTheOthers) {
  FakeSource& first = add(1);
  add(2);
  start();
  first.end("no more packets");
  ASSERT_TRUE(are_told());
  EXPECT_FALSE(sources_.ended_by(steady_clock::now()));
  EXPECT_EQ(sources_.counters()[0].state, SourceState::failed);
  EXPECT_EQ(sources_.counters()[1].state, SourceState::running);
  sources_.stop();
  ASSERT_TRUE(sources_.ended_by(steady_clock::now() + hours(1)));
  const Result<void> result = sources_.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text, "no more packets");
}

TEST_F(SourcesTest, OneThatDoesNotEndIsNotWaitedForBeyondTheDeadline) {
  FakeSource& stuck = add(1);
  stuck.ignore_stops();
  add(2);
  start();
  sources_.stop();
  EXPECT_FALSE(sources_.ended_by(steady_clock::now() + std::chrono::milliseconds(20)));
  stuck.end();
  EXPECT_TRUE(sources_.ended_by(steady_clock::now() + hours(1)));
}

TEST_F(SourcesTest, AreLosslessAndReloadableIfAllAre) {
  EXPECT_FALSE(sources_.all_lossless());
  EXPECT_TRUE(sources_.all_reloadable());
  add(1, /*lossless=*/true, /*reloadable=*/false);
  EXPECT_TRUE(sources_.all_lossless());
  EXPECT_FALSE(sources_.all_reloadable());
  add(2);
  EXPECT_FALSE(sources_.all_lossless());
}

TEST_F(SourcesTest, ShowTheGroupsOfAllInTheirOrder) {
  add(7);
  add(3);
  const auto rows = sources_.snapshots();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].group, 7);
  EXPECT_EQ(rows[1].group, 3);
}

}  // namespace
}  // namespace nfbus::host
