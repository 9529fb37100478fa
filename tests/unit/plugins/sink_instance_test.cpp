#include "plugins/instance.hpp"

#include "instances.hpp"
#include "plugins/crossing.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <stdexcept>
#include <string_view>

namespace nfbus::host::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Status = WriteResult::Status;

class SinkInstances : public Instances {
 protected:
  std::unique_ptr<SinkInstance> sink_of(const FakeSink& fake) {
    auto made =
        SinkInstance::create({.entry = &fake.entry, .file = "fake.so", .library = nullptr}, "archive", "{}", shared_);
    EXPECT_TRUE(made.ok()) << made.error().text;
    return std::move(made).value();
  }
  WriteResult write(SinkInstance& sink, std::size_t count) {
    const auto items = events(count);
    outcomes_.assign(count, Outcome::unnamed);
    return sink.write(
        {.items = items, .size_bytes = 10, .outcomes = outcomes_, .reason = on_rejected_, .deadline = deadline_});
  }
  const std::function<void(std::uint32_t, std::string_view)> on_rejected_ = [this](std::uint32_t index,
                                                                                   std::string_view reason) {
    rejected_.push_back(index);
    reasons_.emplace_back(reason);
  };
  WriteDeadline deadline_;
  std::vector<Outcome> outcomes_;
  std::vector<std::uint32_t> rejected_;
  std::vector<std::string> reasons_;
};

TEST_F(SinkInstances, HandsABatchToThePlugin) {
  const auto noop = sink("noop");
  const WriteResult result = write(*noop, 3);
  EXPECT_EQ(result.status, Status::ok);
  EXPECT_THAT(outcomes_, Each(Outcome::unnamed));
  EXPECT_EQ(counter(noop->services(), "events"), 3U);
  EXPECT_EQ(counter(noop->services(), "calls"), 1U);
  EXPECT_EQ(noop->name(), "archive");
  noop->close();
}

TEST_F(SinkInstances, LetsTheSinkChangeItsShape) {
  auto noop = SinkInstance::create(plugin("noop"), "archive", R"({"batch_events":7})", shared_);
  ASSERT_TRUE(noop.ok());
  const auto shape = noop.value()->open();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->batch_events, 7U);
  EXPECT_EQ(shape->batch_bytes, 0U);
  noop.value()->close();
}

TEST_F(SinkInstances, TurnsAnExceptionInWriteIntoAFailure) {
  const auto throws = sink("throws", R"({"after":1})");
  EXPECT_EQ(write(*throws, 2).status, Status::ok);
  const WriteResult result = write(*throws, 2);
  EXPECT_EQ(result.status, Status::failed);
  EXPECT_EQ(result.error, "write() failed: it threw an exception: this sink always throws");
  throws->close();
}

TEST_F(SinkInstances, ReportsWhyASinkIsFatal) {
  const auto fails = sink("fails");
  const WriteResult result = write(*fails, 2);
  EXPECT_EQ(result.status, Status::fatal);
  EXPECT_EQ(result.error, "write() failed: this sink cannot go on");
  fails->close();
}

TEST_F(SinkInstances, ReportsAFailureToCreateOrOpen) {
  const auto created = SinkInstance::create(plugin("fails"), "archive", R"({"at":"create"})", shared_);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, Code::invalid);
  EXPECT_EQ(created.error().text, "it threw an exception: this sink cannot be created");

  auto made = SinkInstance::create(plugin("fails"), "archive", R"({"at":"open"})", shared_);
  ASSERT_TRUE(made.ok());
  const auto opened = made.value()->open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::io);
  EXPECT_EQ(opened.error().text, "open() failed: this sink cannot be opened");
}

TEST_F(SinkInstances, RefusesAFilterWhereASinkIsNeeded) {
  const auto made = SinkInstance::create(plugin("filter_drops"), "archive", "{}", shared_);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().text, "plugin \"filter_drops\" is a filter, not a sink");
}

TEST_F(SinkInstances, PassesOnWhatARetryAsksFor) {
  const auto retries = sink("retries", R"({"times":1,"done":2,"retry_after_ms":70})");
  const WriteResult first = write(*retries, 5);
  EXPECT_EQ(first.status, Status::again);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::delivered, Outcome::delivered, Outcome::unnamed, Outcome::unnamed,
                                     Outcome::unnamed));
  EXPECT_EQ(first.retry_after_ms, 70U);
  EXPECT_EQ(first.error, "write() failed: not now");
  const WriteResult second = write(*retries, 3);
  EXPECT_EQ(second.status, Status::ok);
  EXPECT_EQ(counter(retries->services(), "events"), 5U);
  retries->close();
}

TEST_F(SinkInstances, PassesOnRejectedEventsWithTheirReason) {
  const auto rejects = sink("rejects");
  const WriteResult result = write(*rejects, 5);
  EXPECT_EQ(result.status, Status::ok);
  EXPECT_THAT(rejected_, ElementsAre(1, 3));
  EXPECT_EQ(reasons_.at(0), "this sink takes only every second event");
  rejects->close();
}

TEST_F(SinkInstances, CountsARejectedEventOnceAndIgnoresWhatIsOutOfRange) {
  const FakeSink fake([](void*, const nfbus_events* events, nfbus_report* report, nfbus_error*) {
    for (const std::uint32_t index : {0U, 2U, 2U, events->count, UINT32_MAX}) {
      report->outcome(report->context, index, 1, NFBUS_REJECTED, nfbus_text{nullptr, 9});
    }
    return NFBUS_OK;
  });
  const auto instance = sink_of(fake);
  for (int call = 0; call < 2; ++call) {  // what was rejected in one call may be again in the next
    EXPECT_EQ(write(*instance, 3).status, Status::ok);
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::rejected, Outcome::unnamed, Outcome::rejected));
  }
  EXPECT_TRUE(reasons_.empty()) << "none was given";
}

TEST_F(SinkInstances, IgnoresARejectionAfterTheCall) {
  static nfbus_report* kept = nullptr;
  const FakeSink fake([](void*, const nfbus_events*, nfbus_report* report, nfbus_error*) {
    kept = report;
    return NFBUS_OK;
  });
  const auto instance = sink_of(fake);
  EXPECT_EQ(write(*instance, 1).status, Status::ok);
  kept->outcome(kept->context, 0, 1, NFBUS_REJECTED, {});
  EXPECT_EQ(kept->time_left_ms(kept->context), 0U);
  EXPECT_TRUE(rejected_.empty());
}

TEST_F(SinkInstances, TakesTheFirstWordOnEachEventAndNoneThatIsNoOutcome) {
  const FakeSink fake([](void*, const nfbus_events* events, nfbus_report* report, nfbus_error*) {
    const auto say = [&](std::uint32_t first, std::uint32_t count, std::uint32_t outcome) {
      report->outcome(report->context, first, count, outcome, {});
    };
    say(1, 1, NFBUS_AGAIN);
    say(0, 3, NFBUS_DELIVERED);
    say(3, 1, 4);
    say(3, 1, 0);
    say(3, events->count, NFBUS_DELIVERED);
    say(2, UINT32_MAX, NFBUS_DELIVERED);
    say(events->count, 0, NFBUS_DELIVERED);
    return NFBUS_RETRY;
  });
  const auto instance = sink_of(fake);
  write(*instance, 4);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::delivered, Outcome::again, Outcome::delivered, Outcome::unnamed));
}

TEST_F(SinkInstances, TellsThePluginHowMuchTimeIsLeft) {
  static std::uint32_t left_ms = 0;
  const FakeSink fake([](void*, const nfbus_events*, nfbus_report* report, nfbus_error*) {
    left_ms = report->time_left_ms(report->context);
    return NFBUS_OK;
  });
  const auto instance = sink_of(fake);
  write(*instance, 1);
  EXPECT_EQ(left_ms, UINT32_MAX);
  deadline_.begin(WriteDeadline::Clock::now() + std::chrono::minutes(1));
  write(*instance, 1);
  EXPECT_GT(left_ms, 50'000U);
  EXPECT_LE(left_ms, 60'000U);
  deadline_.end_by(WriteDeadline::Clock::now() - std::chrono::minutes(1));
  write(*instance, 1);
  EXPECT_EQ(left_ms, 0U);
}

TEST_F(SinkInstances, DoesNotCarryAnErrorOrAnOutcomeOverToTheNextCall) {
  static int call = 0;
  call = 0;
  const FakeSink fake([](void*, const nfbus_events*, nfbus_report* report, nfbus_error* error) {
    if (call++ == 0) {
      report->outcome(report->context, 0, 1, NFBUS_DELIVERED, {});
      report->retry_after_ms = 5;
      error->size = static_cast<std::uint32_t>(std::string_view("first").copy(error->text, sizeof error->text));
    }
    return NFBUS_RETRY;
  });
  const auto instance = sink_of(fake);
  EXPECT_EQ(write(*instance, 2).error, "write() failed: first");
  const WriteResult second = write(*instance, 2);
  EXPECT_EQ(second.error, "write() failed: it does not say why");
  EXPECT_THAT(outcomes_, Each(Outcome::unnamed));
  EXPECT_EQ(second.retry_after_ms, 0U);
}

TEST_F(SinkInstances, TreatsAnUnknownStatusAsFatalAndNamesIt) {
  const FakeSink fake([](void*, const nfbus_events*, nfbus_report*, nfbus_error*) { return 77U; });
  const WriteResult result = write(*sink_of(fake), 1);
  EXPECT_EQ(result.status, Status::fatal);
  EXPECT_EQ(result.error, "write() returned the unknown status 77: it does not say why");
}

TEST_F(SinkInstances, MakesTextOfABrokenErrorMessage) {
  const FakeSink fake([](void*, const nfbus_events*, nfbus_report*, nfbus_error* error) {
    std::fill(std::begin(error->text), std::end(error->text), '\xff');
    error->size = UINT32_MAX;
    return NFBUS_FATAL;
  });
  const WriteResult result = write(*sink_of(fake), 1);
  EXPECT_THAT(result.error, HasSubstr("\xef\xbf\xbd\xef\xbf\xbd"));  // U+FFFD
  EXPECT_LE(result.error.size(), 4096U);
}

TEST_F(SinkInstances, SurvivesExceptionsOfAnyTypeFromEveryFunction) {
  FakeSink fake([](void*, const nfbus_events*, nfbus_report*, nfbus_error*) -> uint32_t { throw 1; });
  fake.calls.open = [](void*, nfbus_shape*, nfbus_error*) -> uint32_t { throw std::runtime_error("open"); };
  fake.calls.reopen = [](void*, nfbus_error*) -> uint32_t { throw std::runtime_error("reopen"); };
  fake.calls.flush = [](void*, nfbus_error*) -> uint32_t { throw std::runtime_error("flush"); };
  fake.calls.tick = [](void*, nfbus_error*) -> uint32_t { throw std::runtime_error("tick"); };
  fake.calls.close = [](void*) { throw std::runtime_error("close"); };
  fake.calls.destroy = [](void*) { throw std::runtime_error("destroy"); };
  ::testing::internal::CaptureStderr();
  {
    const auto instance = sink_of(fake);
    EXPECT_EQ(instance->open().error().text, "open() failed: it threw an exception: open");
    EXPECT_EQ(write(*instance, 1).error, "write() failed: it threw an exception of an unknown type");
    EXPECT_EQ(instance->reopen().error().text, "reopen() failed: it threw an exception: reopen");
    EXPECT_EQ(instance->flush().error().text, "flush() failed: it threw an exception: flush");
    EXPECT_EQ(instance->tick().error().text, "tick() failed: it threw an exception: tick");
    instance->close();
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("sink.archive: close() failed: it threw an exception: close"));
  EXPECT_THAT(log, HasSubstr("sink.archive: destroy() failed: it threw an exception: destroy"));
}

TEST_F(SinkInstances, TakesMissingOptionalFunctionsForDone) {
  const FakeSink fake([](void*, const nfbus_events*, nfbus_report*, nfbus_error*) { return NFBUS_OK; });
  const auto instance = sink_of(fake);
  EXPECT_TRUE(instance->reopen().ok());
  EXPECT_TRUE(instance->flush().ok());
  EXPECT_TRUE(instance->tick().ok());
}

TEST_F(SinkInstances, LooksAtNoFunctionThatTheSizeOfTheTableDoesNotCover) {
  // As a plugin of an older minor, whose table ended before `destroy` would; what lies behind it is not the table's.
  FakeSink fake([](void*, const nfbus_events*, nfbus_report*, nfbus_error*) { return NFBUS_OK; });
  fake.calls.tick = [](void*, nfbus_error*) -> uint32_t { throw std::runtime_error("not in the table"); };
  const std::size_t whole_bytes = fake.calls.struct_size;
  fake.calls.struct_size = offsetof(nfbus_sink, tick);
  const nfbus_sink seen = host_copy(fake.calls);
  EXPECT_EQ(seen.flush, fake.calls.flush);
  EXPECT_EQ(seen.tick, nullptr);
  EXPECT_EQ(seen.struct_size, whole_bytes);
}

}  // namespace
}  // namespace nfbus::host::test
