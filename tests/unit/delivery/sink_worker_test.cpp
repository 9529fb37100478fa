#include "delivery/sink_worker.hpp"

#include "make_events.hpp"
#include "scripted_filter.hpp"
#include "scripted_sink.hpp"
#include "subscribe.hpp"
#include "topics.hpp"

#include <gtest/gtest.h>

#include <future>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using test::Events;
using test::FilterScript;
using test::make_stage;
using test::ScriptedSink;
using test::subscribe;

constexpr auto kSoon = 10s;  // a bound for waits, never reached by a test that passes

std::uint32_t accept(const nfbus_events& /*events*/, nfbus_report& /*report*/) { return NFBUS_OK; }

constexpr QueueLimits kLimits = {.events = 1000, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest};

// A worker on a bus, serving a scripted sink.
class Delivery {
 public:
  explicit Delivery(ScriptedSink& /*script*/, QueueLimits limits = kLimits, std::vector<FilterScript> filters = {}) {
    std::vector<std::shared_ptr<FilterStage>> chain;
    for (FilterScript& script : filters) chain.push_back(make_stage(std::move(script), services_));
    auto sink = SinkInstance::create(ScriptedSink::plugin(), "test", "{}", services_);
    EXPECT_TRUE(sink.ok());
    const auto shape = (*sink)->open();
    EXPECT_TRUE(shape.ok());
    subscription_ = subscribe(bus_, interest_, limits);
    worker_ = std::make_unique<SinkWorker>(
        std::move(sink).value(), *shape,
        SinkWorker::Parts{.filters = FilterChain(std::move(chain)), .subscription = subscription_});
  }

  void start() { worker_->start(); }
  void publish_message(std::string_view topic) const { services_.publish(topic, "{}", {}); }
  void publish(std::size_t events) { bus_.publish(events_.packets(events)); }
  [[nodiscard]] bool stop(std::chrono::milliseconds within = kSoon) {
    const auto deadline = SinkWorker::Clock::now() + within;
    worker_->request_stop(deadline);
    return worker_->stopped_by(deadline + kSoon);
  }
  [[nodiscard]] SinkSnapshot snapshot() const { return worker_->snapshot(); }
  SinkWorker& worker() { return *worker_; }

 private:
  Events events_;
  FormatSet formats_{"test"};
  SharedServices services_{
      .formats = formats_,
      .publish = [this](std::string_view topic, std::string_view message, const MessageOrigin& origin) {
        bus_.publish(make_message(topic, message, 1, 0, origin));
        return true;
      }};
  Bus bus_;
  const Interest interest_{.topics = test::topics({"nft:", "summary"}),
                           .kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE};
  std::shared_ptr<Subscription> subscription_;
  std::unique_ptr<SinkWorker> worker_;
};

void expect_balance(const SinkSnapshot& snapshot) {
  const QueueCounters& c = snapshot.events;
  EXPECT_EQ(c.published, c.delivered + c.filtered + c.overflowed + c.rejected + c.queued);
}

TEST(SinkWorker, DeliversWhatWaitsBeforeItStops) {
  ScriptedSink script(accept);
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(script.seen(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(delivery.snapshot().events.delivered, 5U);
  EXPECT_EQ(delivery.snapshot().health.state, SinkState::stopped);
  EXPECT_EQ(script.history(), (std::vector<std::string>{"open", "flush", "close"}));
}

TEST(SinkWorker, TellsWhenItsLastFlushFailed) {
  for (const std::uint32_t answer : {NFBUS_OK, NFBUS_RETRY}) {
    ScriptedSink script(accept);
    script.flush_answer = answer;
    Delivery delivery(script);
    delivery.publish(5);
    delivery.start();
    ASSERT_TRUE(delivery.stop());
    EXPECT_EQ(delivery.worker().unflushed(), answer != NFBUS_OK);
  }
}

TEST(SinkWorker, CutsBatchesToTheShapeThatTheSinkAskedFor) {
  ScriptedSink script(accept);
  script.shape.batch_events = 4;
  Delivery delivery(script);
  delivery.publish(10);
  delivery.start();
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(script.call_sizes(), (std::vector<std::size_t>{4, 4, 2}));
}

TEST(SinkWorker, CutsBatchesToTheBytesThatTheSinkAskedForButHandsALargeEventAlone) {
  ScriptedSink script(accept);
  script.shape.batch_bytes = 250;  // records are of 100 bytes
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(script.call_sizes(), (std::vector<std::size_t>{2, 2, 1}));

  ScriptedSink small(accept);
  small.shape.batch_bytes = 10;
  Delivery alone(small);
  alone.publish(2);
  alone.start();
  ASSERT_TRUE(alone.stop());
  EXPECT_EQ(small.call_sizes(), (std::vector<std::size_t>{1, 1}));
}

TEST(SinkWorker, WaitsForHalfABatchButNotLongerThanItsAge) {
  ScriptedSink script(accept);
  script.shape.batch_events = 6;
  script.shape.batch_age_ms = 3600 * 1000;
  Delivery delivery(script);
  delivery.start();
  delivery.publish(2);
  delivery.publish(2);
  script.wait_calls(1);
  EXPECT_EQ(script.call_sizes(), (std::vector<std::size_t>{4}));
  ASSERT_TRUE(delivery.stop());

  ScriptedSink impatient(accept);
  impatient.shape.batch_events = 100;
  impatient.shape.batch_age_ms = 20;
  Delivery aged(impatient);
  aged.start();
  aged.publish(2);
  impatient.wait_calls(1);
  EXPECT_EQ(impatient.seen().size(), 2U);
  ASSERT_TRUE(aged.stop());
}

TEST(SinkWorker, BringsOnlyTheRestAgainAfterARetry) {
  int calls = 0;
  ScriptedSink script([&](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    if (++calls > 1) return NFBUS_OK;
    report.outcome(report.context, 0, 2, NFBUS_DELIVERED, {});
    report.retry_after_ms = 1;
    return NFBUS_RETRY;
  });
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  script.wait_calls(2);
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(script.seen(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 2, 3, 4}));
  EXPECT_EQ(delivery.snapshot().events.delivered, 5U);
  EXPECT_EQ(delivery.snapshot().retries, 1U);
}

TEST(SinkWorker, CountsEventsInBackoffAsQueued) {
  ScriptedSink script([](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    report.retry_after_ms = 3600 * 1000;
    return NFBUS_RETRY;
  });
  Delivery delivery(script);
  delivery.start();
  delivery.publish(3);
  script.wait_calls(1);
  EXPECT_EQ(delivery.snapshot().events.queued, 3U);
  ASSERT_TRUE(delivery.stop(200ms));  // ends although the backoff is an hour
  EXPECT_EQ(delivery.snapshot().events.queued, 3U);
  expect_balance(delivery.snapshot());
}

TEST(SinkWorker, CountsRejectedEventsAndDeliversTheOthers) {
  ScriptedSink script([](const nfbus_events& events, nfbus_report& report) -> std::uint32_t {
    for (std::uint32_t i = 0; i < events.count; i += 2)
      report.outcome(report.context, i, 1, NFBUS_REJECTED, NFBUS_TEXT("odd"));
    return NFBUS_OK;
  });
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(delivery.snapshot().events.rejected, 3U);
  EXPECT_EQ(delivery.snapshot().events.delivered, 2U);
}

TEST(SinkWorker, NeverBringsARejectedEventAgain) {
  int calls = 0;
  ScriptedSink script([&](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    if (++calls > 1) return NFBUS_OK;
    report.outcome(report.context, 3, 1, NFBUS_REJECTED, NFBUS_TEXT("too long"));
    report.outcome(report.context, 0, 1, NFBUS_DELIVERED, {});
    report.retry_after_ms = 1;
    return NFBUS_RETRY;
  });
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  script.wait_calls(2);
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(script.seen(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 1, 2, 4}));
  EXPECT_EQ(delivery.snapshot().events.rejected, 1U);
  EXPECT_EQ(delivery.snapshot().events.delivered, 4U);
}

TEST(SinkWorker, ClosesASinkThatIsFatalAndCountsAllElseAsRejected) {
  ScriptedSink script([](const nfbus_events&, nfbus_report&) -> std::uint32_t { return NFBUS_FATAL; });
  script.shape.batch_events = 2;
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  script.wait_history("close");
  delivery.publish(4);
  ASSERT_TRUE(delivery.stop());
  const SinkSnapshot snapshot = delivery.snapshot();
  EXPECT_EQ(snapshot.health.state, SinkState::failed);
  EXPECT_EQ(snapshot.events.rejected, 9U);
  EXPECT_EQ(snapshot.events.queued, 0U);
  EXPECT_EQ(script.call_sizes().size(), 1U);
  EXPECT_EQ(script.history(), (std::vector<std::string>{"open", "close"}));
}

TEST(SinkWorker, SettlesWhatIsDoneAnywhereInABatchAndBringsTheRestAgainInOrder) {
  int calls = 0;
  std::promise<void> release;
  ScriptedSink script([&](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    if (++calls > 1) {
      release.get_future().wait();
      return NFBUS_OK;
    }
    report.outcome(report.context, 1, 1, NFBUS_AGAIN, {});
    report.outcome(report.context, 3, 1, NFBUS_REJECTED, {});
    report.outcome(report.context, 4, 1, NFBUS_AGAIN, {});
    report.retry_after_ms = 1;
    return NFBUS_OK;
  });
  Delivery delivery(script);
  delivery.publish(6);
  delivery.start();
  script.wait_calls(1);
  while (delivery.snapshot().events.queued != 2) std::this_thread::yield();
  EXPECT_EQ(delivery.snapshot().events.delivered, 3U);  // while the others wait
  EXPECT_EQ(delivery.snapshot().events.rejected, 1U);
  release.set_value();
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(script.seen(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 1, 4}));
  EXPECT_EQ(delivery.snapshot().events.delivered, 5U);
}

TEST(SinkWorker, KeepsTheOutcomesThatASinkNamedBeforeItWasFatal) {
  ScriptedSink script([](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    report.outcome(report.context, 2, 2, NFBUS_DELIVERED, {});
    return NFBUS_FATAL;
  });
  Delivery delivery(script);
  delivery.publish(5);
  delivery.start();
  script.wait_history("close");
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(delivery.snapshot().events.delivered, 2U);
  EXPECT_EQ(delivery.snapshot().events.rejected, 3U);
}

TEST(SinkWorker, ClosesASinkThatFailsTenTimesInARowWithoutProgress) {
  ScriptedSink script([](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    report.retry_after_ms = 1;
    throw std::runtime_error("broken");
  });
  Delivery delivery(script);
  delivery.publish(3);
  delivery.start();
  script.wait_history("close");
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(delivery.snapshot().health.state, SinkState::failed);
  EXPECT_EQ(delivery.snapshot().events.rejected, 3U);
  EXPECT_EQ(delivery.snapshot().retries, 9U);
}

TEST(SinkWorker, GoesOnWithASinkThatFailsButMakesProgress) {
  ScriptedSink script([](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    report.outcome(report.context, 0, 1, NFBUS_DELIVERED, {});
    report.retry_after_ms = 1;
    return NFBUS_FAILED;
  });
  Delivery delivery(script);
  delivery.publish(25);
  delivery.start();
  while (delivery.snapshot().events.delivered != 25) std::this_thread::yield();
  ASSERT_TRUE(delivery.stop());
  EXPECT_NE(delivery.snapshot().health.state, SinkState::failed);
}

TEST(SinkWorker, TicksASinkThatAsksToBeWokenAlsoInBackoff) {
  ScriptedSink script([](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    report.retry_after_ms = 3600 * 1000;
    return NFBUS_RETRY;
  });
  Delivery delivery(script);  // its tick_ms is 0
  delivery.start();
  script.host->wake(script.host->context);
  script.wait_history("tick");
  delivery.publish(1);
  script.wait_calls(1);
  script.host->wake(script.host->context);
  script.wait_history("tick", 2);
  ASSERT_TRUE(delivery.stop(1ms));
}

TEST(SinkWorker, TellsAWriteThatRunsOfAStop) {
  std::promise<void> begun;
  std::uint32_t at_first_ms = 0;
  ScriptedSink script([&](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    at_first_ms = report.time_left_ms(report.context);
    begun.set_value();
    while (report.time_left_ms(report.context) != 0) std::this_thread::yield();
    return NFBUS_OK;
  });
  Delivery delivery(script);
  delivery.publish(1);
  delivery.start();
  begun.get_future().wait();
  ASSERT_TRUE(delivery.stop(1ms));
  EXPECT_GT(at_first_ms, 10'000U);
}

TEST(SinkWorker, SaysThatAHungSinkDidNotStopAndKeepsItsQueueBounded) {
  std::promise<void> release;
  ScriptedSink script([&](const nfbus_events& /*events*/, nfbus_report& /*report*/) -> std::uint32_t {
    release.get_future().wait();
    return NFBUS_OK;
  });
  Delivery delivery(script, {.events = 10, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest});
  delivery.publish(3);
  delivery.start();
  while (delivery.snapshot().events.published == 0) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) delivery.publish(3);
  EXPECT_LE(delivery.snapshot().events.queued, 10U);
  expect_balance(delivery.snapshot());
  delivery.worker().request_stop(SinkWorker::Clock::now());
  EXPECT_FALSE(delivery.worker().stopped_by(SinkWorker::Clock::now()));
  release.set_value();
  EXPECT_TRUE(delivery.worker().stopped_by(SinkWorker::Clock::now() + kSoon));
  expect_balance(delivery.snapshot());
}

TEST(SinkWorker, ReopensOnRequestAlsoInBackoffAndTriesAgainAtOnce) {
  int calls = 0;
  ScriptedSink script([&](const nfbus_events& /*events*/, nfbus_report& report) -> std::uint32_t {
    if (++calls > 1) return NFBUS_OK;
    report.retry_after_ms = 3600 * 1000;
    return NFBUS_RETRY;
  });
  Delivery delivery(script);
  delivery.start();
  delivery.publish(1);
  script.wait_calls(1);
  delivery.worker().request_reopen();
  script.wait_calls(2);
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(delivery.snapshot().events.delivered, 1U);
}

TEST(SinkWorker, TicksItsFiltersWhileNothingArrives) {
  ScriptedSink script(accept);
  std::promise<void> ticked;
  bool once = false;
  const auto tick = [&] {
    if (!std::exchange(once, true)) ticked.set_value();
    return NFBUS_OK;
  };
  Delivery delivery(script, kLimits, {{.tick = tick, .tick_ms = 1}});
  delivery.start();
  EXPECT_EQ(ticked.get_future().wait_for(kSoon), std::future_status::ready);
  ASSERT_TRUE(delivery.stop());
}

TEST(SinkWorker, TicksTheFiltersOfASinkThatFailed) {
  ScriptedSink script([](const nfbus_events&, nfbus_report&) -> std::uint32_t { return NFBUS_FATAL; });
  std::promise<void> ticked;
  bool once = false;
  const auto tick = [&] {
    const auto history = script.history();
    const bool failed = std::find(history.begin(), history.end(), "close") != history.end();
    if (failed && !std::exchange(once, true)) ticked.set_value();
    return NFBUS_OK;
  };
  Delivery delivery(script, kLimits, {{.tick = tick, .tick_ms = 1}});
  delivery.start();
  delivery.publish(1);
  EXPECT_EQ(ticked.get_future().wait_for(kSoon), std::future_status::ready);
  ASSERT_TRUE(delivery.stop());
}

TEST(SinkWorker, DeliversWhatAFilterPublishesAtItsEnd) {
  ScriptedSink script(accept);
  Delivery* bus = nullptr;
  std::vector<std::string> calls;
  const auto apply = [&](nfbus_filter_call& call) {
    calls.push_back(std::to_string(call.count) + " events");
    return NFBUS_OK;
  };
  const auto finish = [&] {
    calls.emplace_back("finish");
    bus->publish_message("summary");
    return NFBUS_OK;
  };
  Delivery delivery(script, kLimits, {{.apply = apply, .finish = finish}});
  bus = &delivery;
  delivery.publish(2);
  delivery.start();
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(calls, (std::vector<std::string>{"2 events", "finish"}));
  EXPECT_EQ(delivery.snapshot().events.delivered, 3U);
  EXPECT_EQ(script.call_sizes(), (std::vector<std::size_t>{2, 1}));
}

TEST(SinkWorker, GoesOnDeliveringAfterItsFiltersHaveFinished) {
  ScriptedSink script(accept);
  script.shape.batch_events = 100;
  script.shape.batch_age_ms = 3600 * 1000;
  std::atomic<int> finished = 0;
  const auto finish = [&] {
    ++finished;
    return NFBUS_OK;
  };
  Delivery delivery(script, kLimits, {{.finish = finish}});
  delivery.start();
  delivery.publish(1);
  delivery.worker().request_drain(SinkWorker::Clock::now() + kSoon);
  delivery.worker().wait_drained(SinkWorker::Clock::now() + kSoon);
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(script.call_sizes(), (std::vector<std::size_t>{1})) << "what waits is delivered first, whatever its age";
  delivery.publish_message("summary");  // of another sink's filter
  ASSERT_TRUE(delivery.stop());
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(delivery.snapshot().events.delivered, 2U);
}

TEST(SinkWorker, FlushesWhileOthersStillRunAndAgainOnlyAfterAWrite) {
  using Calls = std::vector<std::string>;
  for (const std::size_t later : {0U, 1U}) {
    ScriptedSink script(accept);
    Delivery delivery(script);
    delivery.start();
    delivery.publish(1);
    EXPECT_TRUE(delivery.worker().has_last_words());
    delivery.worker().request_drain(SinkWorker::Clock::now() + kSoon);
    delivery.worker().wait_drained(SinkWorker::Clock::now() + kSoon);
    EXPECT_EQ(script.call_sizes(), (std::vector<std::size_t>{1}));
    EXPECT_EQ(script.history(), (Calls{"open", "flush"}));
    delivery.publish(later);
    ASSERT_TRUE(delivery.stop());
    EXPECT_EQ(script.history(),
              later == 0 ? (Calls{"open", "flush", "close"}) : (Calls{"open", "flush", "flush", "close"}));
  }
}

TEST(SinkWorker, TicksWhileNothingArrives) {
  ScriptedSink script(accept);
  script.shape.tick_ms = 1;
  Delivery delivery(script);
  delivery.start();
  script.wait_history("tick");
  ASSERT_TRUE(delivery.stop());
}

}  // namespace
}  // namespace nfbus::host
