// What a sink says of each event, and what the worker makes of it.
#include "delivery/sink.hpp"

#include "delivery/sink_worker.hpp"
#include "make_events.hpp"
#include "subscribe.hpp"

#include <gmock/gmock.h>

#include <array>
#include <functional>
#include <future>
#include <numeric>
#include <random>
#include <thread>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using test::Events;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Status = WriteResult::Status;
using Clock = SinkWorker::Clock;

constexpr auto kSoon = 10s;  // a bound for waits, never reached by a test that passes
constexpr QueueLimits kLimits = {.events = 5000, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest};

WriteResult answer(Status status, std::uint32_t retry_after_ms = 1) {
  return {.status = status, .retry_after_ms = retry_after_ms, .error = status == Status::ok ? "" : "not now"};
}

std::vector<std::uint32_t> sequences_of(const WriteCall& call) {
  std::vector<std::uint32_t> sequences;
  for (const nfbus_event* item : call.items) sequences.push_back(item->sequence);
  return sequences;
}

class ScriptedCalls final : public Sink {
 public:
  using Write = std::function<WriteResult(const WriteCall&)>;
  explicit ScriptedCalls(Write write, std::promise<void>* ticked = nullptr)
      : write_(std::move(write)), ticked_(ticked) {}

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] std::string_view plugin_name() const noexcept override { return "scripted"; }
  [[nodiscard]] OwnCounters counters() const override { return {}; }
  Result<nfbus_shape> open() override { return nfbus_shape{}; }
  WriteResult write(const WriteCall& call) override { return write_(call); }
  Result<void> reopen() override { return {}; }
  [[nodiscard]] bool flushes() const noexcept override { return false; }
  Result<void> flush() override { return {}; }
  Result<void> tick() override {
    if (ticked_ != nullptr) std::exchange(ticked_, nullptr)->set_value();
    return {};
  }
  void close() noexcept override {}
  void set_waker(std::function<void()> /*waker*/) override {}

 private:
  const std::string name_ = "test";
  const Write write_;
  std::promise<void>* ticked_;
};

// A worker on a bus, serving such a sink.
class Outcomes : public ::testing::Test {
 protected:
  void start(ScriptedCalls::Write write, std::uint32_t batch_events = 100, std::promise<void>* ticked = nullptr) {
    subscription_ = test::subscribe(bus_, {}, kLimits);
    nfbus_shape shape{};
    shape.batch_events = batch_events;
    worker_ =
        std::make_unique<SinkWorker>(std::make_unique<ScriptedCalls>(std::move(write), ticked), shape,
                                     SinkWorker::Parts{.filters = FilterChain({}), .subscription = subscription_});
  }
  // Gives it that many events in one batch, and waits until it has stopped.
  QueueCounters deliver(std::size_t events) {
    bus_.publish(events_.packets(events));
    worker_->start();
    const auto deadline = Clock::now() + kSoon;
    worker_->request_stop(deadline);
    EXPECT_TRUE(worker_->stopped_by(deadline + kSoon));
    return balanced();
  }
  [[nodiscard]] QueueCounters balanced() const {
    const QueueCounters c = worker_->snapshot().events;
    EXPECT_EQ(c.published, c.delivered + c.filtered + c.overflowed + c.rejected + c.queued);
    return c;
  }

  Events events_;
  Bus bus_;
  std::shared_ptr<Subscription> subscription_;
  std::unique_ptr<SinkWorker> worker_;
  std::vector<std::vector<std::uint32_t>> calls_;
};

TEST_F(Outcomes, OfAGoodCallComeNamedOnesAgainInTheirOrder) {
  start([&](const WriteCall& call) {
    calls_.push_back(sequences_of(call));
    EXPECT_THAT(call.outcomes, Each(Outcome::unnamed));
    if (calls_.size() == 1) {
      call.outcomes[0] = Outcome::delivered;
      call.outcomes[1] = Outcome::again;
      call.outcomes[2] = Outcome::rejected;
      call.outcomes[4] = Outcome::again;
    }
    return answer(Status::ok);
  });
  const QueueCounters c = deliver(6);
  EXPECT_THAT(calls_, ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5), ElementsAre(1, 4)));
  EXPECT_EQ(c.delivered, 5U);
  EXPECT_EQ(c.rejected, 1U);
}

TEST_F(Outcomes, OfACallThatAsksForAnotherAreNamedOnesSettledWhereverTheyStand) {
  start([&](const WriteCall& call) {
    calls_.push_back(sequences_of(call));
    if (calls_.size() > 1) return answer(Status::ok);
    call.outcomes[1] = Outcome::delivered;
    call.outcomes[3] = Outcome::rejected;
    call.outcomes[5] = Outcome::delivered;
    return answer(Status::again);
  });
  const QueueCounters c = deliver(6);
  EXPECT_THAT(calls_, ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5), ElementsAre(0, 2, 4)));
  EXPECT_EQ(c.delivered, 5U);
  EXPECT_EQ(c.rejected, 1U);
  EXPECT_EQ(worker_->snapshot().retries, 1U);
}

TEST_F(Outcomes, AreSettledBeforeTheRestComesAgain) {
  start([&](const WriteCall& call) {
    calls_.push_back(sequences_of(call));
    if (calls_.size() > 1) {
      const QueueCounters c = balanced();
      EXPECT_EQ(c.delivered, 1U);
      EXPECT_EQ(c.rejected, 1U);
      EXPECT_EQ(c.queued, 2U);
      return answer(Status::ok);
    }
    call.outcomes[1] = Outcome::delivered;
    call.outcomes[2] = Outcome::rejected;
    return answer(Status::again);
  });
  EXPECT_EQ(deliver(4).delivered, 3U);
}

TEST_F(Outcomes, OfAFatalCallKeepsWhatIsNamedAndRejectsTheRest) {
  start([&](const WriteCall& call) {
    call.outcomes[1] = Outcome::delivered;
    call.outcomes[2] = Outcome::again;
    call.outcomes[3] = Outcome::rejected;
    return answer(Status::fatal);
  });
  const QueueCounters c = deliver(5);
  EXPECT_EQ(c.delivered, 1U);
  EXPECT_EQ(c.rejected, 4U);
  EXPECT_EQ(worker_->snapshot().health.state, SinkState::failed);
}

TEST_F(Outcomes, ASinkIsClosedAfterTenFailuresInARow) {
  ::testing::internal::CaptureStderr();
  start([&](const WriteCall& call) {
    calls_.push_back(sequences_of(call));
    return answer(Status::failed);
  });
  const QueueCounters c = deliver(3);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("closed for good: not now (10 times in a row"));
  EXPECT_EQ(calls_.size(), 10U);
  EXPECT_THAT(calls_, Each(ElementsAre(0, 1, 2)));
  EXPECT_EQ(c.rejected, 3U);
}

TEST_F(Outcomes, ASinkThatSettlesAnythingBetweenItsFailuresStaysOpen) {
  start([&](const WriteCall& call) {
    calls_.push_back(sequences_of(call));
    if (calls_.size() % 9 == 0) call.outcomes.back() = Outcome::delivered;
    return answer(Status::failed);
  });
  const QueueCounters c = deliver(4);
  EXPECT_EQ(calls_.size(), 36U);
  EXPECT_EQ(c.delivered, 4U);
  EXPECT_NE(worker_->snapshot().health.state, SinkState::failed);
}

TEST_F(Outcomes, AWakeTicksASinkThatIsInBackoff) {
  std::promise<void> called;
  std::promise<void> ticked;
  start(
      [&](const WriteCall&) {
        if (calls_.empty()) called.set_value();
        calls_.emplace_back();
        return answer(Status::again, 3'600'000);
      },
      100, &ticked);
  bus_.publish(events_.packets(1));
  worker_->start();
  called.get_future().wait();
  worker_->wake();
  EXPECT_EQ(ticked.get_future().wait_for(kSoon), std::future_status::ready);
  worker_->request_stop(Clock::now());
  EXPECT_TRUE(worker_->stopped_by(Clock::now() + kSoon));
}

TEST_F(Outcomes, AWakeTicksASinkThatWaitsForEvents) {
  std::promise<void> ticked;
  start([](const WriteCall&) { return answer(Status::ok); }, 100, &ticked);
  worker_->start();
  worker_->wake();
  EXPECT_EQ(ticked.get_future().wait_for(kSoon), std::future_status::ready);
}

TEST_F(Outcomes, AStopCutsTheDeadlineOfACallThatRuns) {
  std::promise<std::chrono::milliseconds> begun;
  start([&](const WriteCall& call) {
    begun.set_value(call.deadline.left());
    while (call.deadline.left() != 0ms) std::this_thread::yield();
    return answer(Status::again);
  });
  bus_.publish(events_.packets(1));
  worker_->start();
  const auto left = begun.get_future().get();
  EXPECT_GT(left, 20s);
  EXPECT_LE(left, 30s);
  worker_->request_stop(Clock::now());
  EXPECT_TRUE(worker_->stopped_by(Clock::now() + kSoon));
  EXPECT_EQ(balanced().queued, 1U);
}

// A sink that answers at random, and keeps its own account of each event.
class RandomAnswers {
 public:
  // reach_at: after how many settled events `reached` is set.
  RandomAnswers(unsigned seed, std::size_t reach_at) : random_(seed), reach_at_(reach_at) {}

  WriteResult operator()(const WriteCall& call) {
    const std::vector<std::uint32_t> sequences = sequences_of(call);
    EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end()));
    if (!again_.empty()) {
      EXPECT_EQ(sequences, again_) << "what is to come again does, in its order";
    }
    // As one that hangs until its time is over; without a stop that would take half a minute.
    for (bool hangs = stopping && dice(20) == 0; hangs && call.deadline.left() != 0ms;) std::this_thread::yield();
    const Status status = std::array{Status::ok, Status::ok, Status::again, Status::failed}.at(dice(4));
    const bool names = dice(2) == 0;
    again_.clear();
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      if (names) {
        call.outcomes[i] =
            std::array{Outcome::unnamed, Outcome::delivered, Outcome::again, Outcome::rejected}.at(dice(4));
      }
      const Outcome others = status == Status::ok ? Outcome::delivered : Outcome::again;
      const Outcome outcome = call.outcomes[i] == Outcome::unnamed ? others : call.outcomes[i];
      if (outcome == Outcome::again) {
        again_.push_back(sequences[i]);
      } else {
        ++settled.at(sequences[i]);
        ++(outcome == Outcome::delivered ? delivered : rejected);
      }
    }
    if (delivered + rejected >= reach_at_ && !std::exchange(has_reached_, true)) reached.set_value();
    return answer(status);
  }

  std::vector<std::uint8_t> settled = std::vector<std::uint8_t>(100'000);  // how often, by sequence number
  std::uint64_t delivered = 0;
  std::uint64_t rejected = 0;
  std::atomic<bool> stopping = false;
  std::promise<void> reached;

 private:
  std::size_t dice(std::size_t sides) { return std::uniform_int_distribution<std::size_t>(0, sides - 1)(random_); }
  std::mt19937 random_;
  const std::size_t reach_at_;
  bool has_reached_ = false;
  std::vector<std::uint32_t> again_;
};

class RandomOutcomes : public Outcomes, public ::testing::WithParamInterface<int> {};

// The parameter says after how many of the events it is stopped, in percent.
TEST_P(RandomOutcomes, SettleEachEventOnceOrLeaveItQueuedAndTheSumsHoldAtEveryMoment) {
  constexpr std::size_t kEvents = 100'000;
  const auto stop_at = kEvents * static_cast<std::size_t>(GetParam()) / 100;
  RandomAnswers sink(static_cast<unsigned>(GetParam()), stop_at);
  start([&](const WriteCall& call) { return sink(call); }, 256);
  worker_->start();
  std::atomic<bool> ended = false;
  std::thread observer([&] {
    std::uint64_t settled = 0;
    while (!ended) {
      const QueueCounters c = balanced();
      EXPECT_GE(c.delivered + c.rejected, settled);
      settled = c.delivered + c.rejected;
      std::this_thread::yield();
    }
  });
  std::thread publisher([&] {
    std::mt19937 random(static_cast<unsigned>(GetParam()));
    for (std::size_t left = kEvents; left != 0;) {
      const std::size_t size = std::min(left, std::uniform_int_distribution<std::size_t>(1, 300)(random));
      bus_.publish_when_room(events_.packets(size));
      left -= size;
    }
  });
  EXPECT_EQ(sink.reached.get_future().wait_for(60s), std::future_status::ready);
  bus_.end_waiting();
  publisher.join();
  sink.stopping = true;
  const auto deadline = Clock::now() + 50ms;
  worker_->request_stop(deadline);
  EXPECT_TRUE(worker_->stopped_by(deadline + kSoon));
  ended = true;
  observer.join();

  const QueueCounters c = balanced();
  EXPECT_EQ(c.published, kEvents);
  EXPECT_EQ(c.overflowed, 0U);
  EXPECT_EQ(c.delivered, sink.delivered);
  EXPECT_EQ(c.rejected, sink.rejected);
  EXPECT_GE(c.delivered + c.rejected, stop_at);
  EXPECT_EQ(c.queued, static_cast<std::uint64_t>(std::count(sink.settled.begin(), sink.settled.end(), 0)));
  EXPECT_EQ(std::count_if(sink.settled.begin(), sink.settled.end(), [](std::uint8_t times) { return times > 1; }), 0);
  EXPECT_NE(worker_->snapshot().health.state, SinkState::failed);
}
INSTANTIATE_TEST_SUITE_P(StoppedAfter, RandomOutcomes, ::testing::Values(30, 100));

}  // namespace
}  // namespace nfbus::host
