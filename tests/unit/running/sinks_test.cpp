#include "running/sinks.hpp"

#include "topics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// What sinks were asked, as "NAME call" or "NAME TEXT".
class History {
 public:
  void add(const std::string& name, std::string_view what) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(name + ' ' + std::string(what));
  }
  std::vector<std::string> of(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> calls;
    for (const std::string& call : calls_) {
      if (call.starts_with(name + ' ')) calls.push_back(call.substr(name.size() + 1));
    }
    return calls;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
};

class NotingSink final : public Sink {
 public:
  NotingSink(std::string name, History& history, WriteResult::Status answer)
      : name_(std::move(name)), history_(history), answer_(answer) {}

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] std::string_view plugin_name() const noexcept override { return "noting"; }
  [[nodiscard]] OwnCounters counters() const override { return {}; }
  Result<nfbus_shape> open() override {
    if (name_ == "locked") return Error{.code = Code::io, .text = "no way in"};
    history_.add(name_, "open");
    return nfbus_shape{};
  }
  WriteResult write(const WriteCall& call) override {
    for (const nfbus_event* event : call.items) {
      history_.add(name_, {reinterpret_cast<const char*>(event->payload.data), event->payload.size});
    }
    return {.status = answer_, .retry_after_ms = 0, .error = "so it is"};
  }
  Result<void> reopen() override { return {}; }
  [[nodiscard]] bool flushes() const noexcept override { return false; }
  Result<void> flush() override { return {}; }
  Result<void> tick() override { return {}; }
  void close() noexcept override { history_.add(name_, "close"); }
  void set_waker(std::function<void()> /*waker*/) override {}

 private:
  const std::string name_;
  History& history_;
  const WriteResult::Status answer_;
};

class SinksTest : public testing::Test {
 protected:
  MadeSink made(const std::string& name, WriteResult::Status answer = WriteResult::Status::ok) {
    MadeSink sink{.plan = {},
                  .event_kinds = NFBUS_EVENT_MESSAGE,
                  .filters = FilterChain({}),
                  .instance = std::make_unique<NotingSink>(name, history_, answer)};
    sink.plan.config.name = name;
    sink.plan.config.topics = test::topics({"web:"});
    return sink;
  }
  template <class... Sinks>
  static std::vector<MadeSink> all(Sinks... sinks) {
    std::vector<MadeSink> made;
    (made.push_back(std::move(sinks)), ...);
    return made;
  }
  static std::vector<SinkPlan> plans_of(const std::vector<MadeSink>& sinks) {
    std::vector<SinkPlan> plans;
    for (const MadeSink& sink : sinks) plans.push_back(sink.plan);
    return plans;
  }
  void publish(const std::string& text) { bus_.publish(make_message("web:x", text, 1, 0)); }
  void settle() {
    while (!sinks_.all_settled()) std::this_thread::yield();
  }
  bool stop() {
    sinks_.request_stop(steady_clock::now() + hours(1));
    return sinks_.stopped_by(steady_clock::now() + hours(1));
  }

  History history_;
  Bus bus_;
  FormatSet formats_{"test"};
  Sinks sinks_{bus_, formats_, {}};
};

TEST_F(SinksTest, EventsWaitFromTheOpeningOnAndAreDeliveredOnceThreadsRun) {
  ASSERT_TRUE(sinks_.open(all(made("a"))));
  publish("1");
  EXPECT_FALSE(sinks_.all_settled());
  sinks_.start();
  settle();
  ASSERT_TRUE(stop());
  EXPECT_THAT(history_.of("a"), ElementsAre("open", "1", "close"));
  EXPECT_EQ(sinks_.lost_at_the_end(true), 0U);
}

TEST_F(SinksTest, AnErrorOfAnOpeningNamesTheSink) {
  const auto opened = sinks_.open(all(made("locked")));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().text, "sink.locked: no way in");
}

TEST_F(SinksTest, AReplacementEndsWhatIsGoneAndLeavesTheOthersAlone) {
  ASSERT_TRUE(sinks_.open(all(made("stays"), made("goes"))));
  sinks_.start();
  publish("1");
  settle();
  auto next = all(made("comes"));
  auto plans = plans_of(next);
  plans.push_back(made("stays").plan);
  EXPECT_TRUE(sinks_.runs(plans.back()));
  EXPECT_FALSE(sinks_.runs(plans.front()));
  EXPECT_THAT(sinks_.replace(plans, std::move(next), steady_clock::now() + hours(1)), IsEmpty());
  EXPECT_THAT(history_.of("goes"), ElementsAre("open", "1", "close"));
  publish("2");
  settle();
  ASSERT_TRUE(stop());
  EXPECT_THAT(history_.of("stays"), ElementsAre("open", "1", "2", "close"));
  EXPECT_THAT(history_.of("comes"), ElementsAre("open", "2", "close"));
  EXPECT_EQ(sinks_.size(), 2U);
}

TEST_F(SinksTest, OneThatDiffersMissesNoEventBetween) {
  ASSERT_TRUE(sinks_.open(all(made("a"))));
  publish("1");  // waits for the first, whose thread does not run yet
  sinks_.start();
  auto next = all(made("a"));
  next.front().plan.config.options_json = R"({"file":"another"})";
  const auto plans = plans_of(next);
  EXPECT_THAT(sinks_.replace(plans, std::move(next), steady_clock::now() + hours(1)), IsEmpty());
  publish("2");
  settle();
  ASSERT_TRUE(stop());
  EXPECT_THAT(history_.of("a"), ElementsAre("open", "1", "close", "open", "2", "close"));
}

TEST_F(SinksTest, OneWhosePluginIsAnotherByNowDoesNotRunByItsPlan) {
  ASSERT_TRUE(sinks_.open(all(made("a"))));
  SinkPlan plan = made("a").plan;
  EXPECT_TRUE(sinks_.runs(plan));
  const nfbus_plugin replaced{};
  plan.code = {&replaced};
  EXPECT_FALSE(sinks_.runs(plan));
}

TEST_F(SinksTest, OneThatHasFailedIsMadeAnewAndDelivers) {
  ASSERT_TRUE(sinks_.open(all(made("a", WriteResult::Status::fatal))));
  sinks_.start();
  publish("1");
  settle();
  while (!sinks_.any_failed()) std::this_thread::yield();
  auto next = all(made("a"));
  EXPECT_TRUE(sinks_.has_failed("a"));
  EXPECT_FALSE(sinks_.runs(next.front().plan));
  const auto plans = plans_of(next);
  EXPECT_THAT(sinks_.replace(plans, std::move(next), steady_clock::now() + hours(1)), IsEmpty());
  EXPECT_FALSE(sinks_.any_failed());
  publish("2");
  settle();
  ASSERT_TRUE(stop());
  EXPECT_THAT(history_.of("a"), ElementsAre("open", "1", "close", "open", "2", "close"));
}

TEST_F(SinksTest, OneThatCannotBeOpenedIsLeftOut) {
  ASSERT_TRUE(sinks_.open(all(made("a"))));
  sinks_.start();
  auto next = all(made("locked"));
  auto plans = plans_of(next);
  plans.push_back(made("a").plan);
  const std::vector<Error> not_opened = sinks_.replace(plans, std::move(next), steady_clock::now() + hours(1));
  ASSERT_THAT(not_opened, SizeIs(1));
  EXPECT_EQ(not_opened.front().text, "sink.locked: no way in; 0 events that waited for it are lost");
  publish("1");
  settle();
  ASSERT_EQ(sinks_.snapshots().size(), 1U);
  EXPECT_EQ(sinks_.snapshots().front().name, "a");
  EXPECT_TRUE(stop());
}

TEST_F(SinksTest, WhatAFailedSinkDidNotGetIsLostSinceTheEndWasNotedOrEver) {
  ASSERT_TRUE(sinks_.open(all(made("broken", WriteResult::Status::fatal))));
  sinks_.start();
  publish("1");
  settle();
  while (!sinks_.any_failed()) std::this_thread::yield();
  EXPECT_EQ(sinks_.health().front().first, "broken");
  EXPECT_EQ(sinks_.health().front().second.state, SinkState::failed);
  sinks_.note_the_end();
  publish("2");
  publish("3");
  settle();
  ASSERT_TRUE(stop());
  EXPECT_THAT(sinks_.not_ended(), IsEmpty());
  EXPECT_EQ(sinks_.lost_at_the_end(false), 2U);
  EXPECT_EQ(sinks_.lost_at_the_end(true), 3U);
}

}  // namespace
}  // namespace nfbus::host
