#include <nfbus/sink.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>

namespace {

using nfbus::test::SinkDriver;
using nfbus::test::Written;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class Smallest {
 public:
  void write(nfbus::Events events) { seen_ += events.size(); }

 private:
  std::uint64_t seen_ = 0;
};
constexpr nfbus::Plugin kSmallestPlugin = nfbus::sink<Smallest>("smallest");
constexpr nfbus_plugin kSmallest = kSmallestPlugin.raw();

// Throws, or answers with an error, wherever the option `fail` says.
class Failing final {
 public:
  Failing(nfbus::Host /*host*/, const nfbus::Options& options) : fail_(options.text("fail")) { fail_at("create"); }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  // NOLINTNEXTLINE(bugprone-exception-escape): what the test is about
  ~Failing() noexcept(false) { fail_at("destroy"); }
  nfbus::Result<void> open(nfbus::Shape& shape) {
    shape.batch_events = 7;
    if (fail_ == "open_result") return nfbus::Error{nfbus::Code::io, "no such place"};
    fail_at("open");
    return {};
  }
  void write(nfbus::Events /*events*/) {
    if (fail_ == "write_int") throw 42;
    fail_at("write");
  }
  void reopen() const { fail_at("reopen"); }
  void flush() const { fail_at("flush"); }
  void tick() const { fail_at("tick"); }
  void close() const { fail_at("close"); }

 private:
  void fail_at(std::string_view where) const {
    if (fail_ == where) throw std::runtime_error("thrown in " + std::string(where));
  }
  std::string fail_;
};
constexpr nfbus::Plugin kFailingPlugin = nfbus::sink<Failing>("failing");
constexpr nfbus_plugin kFailing = kFailingPlugin.raw();

std::unique_ptr<SinkDriver> failing(const char* where) {
  return std::make_unique<SinkDriver>(kFailing, nfbus::test::Values{{"/fail", where}});
}

TEST(Sink, NeedsOnlyAWriteFunction) {
  SinkDriver sink(kSmallest, {});
  ASSERT_TRUE(sink.created());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({"a", "b"}).status, NFBUS_OK);
  EXPECT_EQ(kSmallest.sink->reopen, nullptr);
  EXPECT_EQ(kSmallest.sink->flush, nullptr);
  EXPECT_EQ(kSmallest.sink->tick, nullptr);
}

TEST(Sink, AThrowingConstructorIsAnErrorAndLeavesNothing) {
  const auto sink = failing("create");
  EXPECT_FALSE(sink->created());
  EXPECT_EQ(sink->error(), "thrown in create");
}

TEST(Sink, AnAbsentOptionIsAnErrorThatNamesIt) {
  const SinkDriver sink(kFailing, {});
  EXPECT_FALSE(sink.created());
  EXPECT_EQ(sink.error(), "option fail is missing");
}

TEST(Sink, AFailureToOpenIsAnErrorAndLeavesTheShapeAlone) {
  for (const char* where : {"open", "open_result"}) {
    const auto sink = failing(where);
    ASSERT_TRUE(sink->created());
    EXPECT_FALSE(sink->open());
    EXPECT_THAT(sink->error(), testing::AnyOf("thrown in open", "no such place"));
    EXPECT_EQ(sink->shape().batch_events, 0U);
  }
}

TEST(Sink, OpenMayChangeTheShape) {
  const auto sink = failing("nowhere");
  ASSERT_TRUE(sink->open());
  EXPECT_EQ(sink->shape().batch_events, 7U);
}

TEST(Sink, AThrowingWriteHasFailedWithTheTextOfTheException) {
  const auto sink = failing("write");
  ASSERT_TRUE(sink->open());
  const Written written = sink->write({"a"});
  EXPECT_EQ(written.status, NFBUS_FAILED);
  EXPECT_EQ(written.error, "thrown in write");
}

TEST(Sink, ThrowingSomethingElseIsAFailureToo) {
  const auto sink = failing("write_int");
  ASSERT_TRUE(sink->open());
  const Written written = sink->write({"a"});
  EXPECT_EQ(written.status, NFBUS_FAILED);
  EXPECT_THAT(written.error, HasSubstr("no std::exception"));
}

TEST(Sink, AThrowOfReopenFlushOrTickIsAnError) {
  auto sink = failing("reopen");
  EXPECT_EQ(sink->reopen(), NFBUS_FATAL);
  EXPECT_EQ(sink->error(), "thrown in reopen");
  EXPECT_EQ(sink->flush(), NFBUS_OK);
  sink = failing("flush");
  EXPECT_EQ(sink->flush(), NFBUS_FATAL);
  EXPECT_EQ(sink->error(), "thrown in flush");
  sink = failing("tick");
  EXPECT_EQ(sink->tick(), NFBUS_FATAL);
  EXPECT_EQ(sink->error(), "thrown in tick");
}

TEST(Sink, AThrowOfCloseOrTheDestructorIsLoggedAndStopsThere) {
  for (const char* where : {"close", "destroy"}) {
    nfbus::test::FakeHost host;
    const nfbus::test::FakeOptions options(nfbus::test::Values{{"/fail", where}});
    nfbus_shape shape = *kFailing.shape;
    nfbus_error error{};
    void* instance = nullptr;
    ASSERT_EQ(kFailing.sink->create(host.raw(), options.raw(), &instance, &error), NFBUS_OK);
    ASSERT_EQ(kFailing.sink->open(instance, &shape, &error), NFBUS_OK);
    kFailing.sink->close(instance);
    kFailing.sink->destroy(instance);
    EXPECT_THAT(host.logged, ElementsAre(Pair(NFBUS_LOG_ERROR, HasSubstr("thrown in " + std::string(where)))));
  }
}

class Answers {
 public:
  static nfbus::Delivery write(nfbus::Events events) {
    if (events[0].text() == "fatal") return nfbus::Delivery::fatal("cannot go on");
    std::uint32_t index = 0;
    for (const nfbus::Event event : events) {
      if (event.text() == "bad") events.reject(index, "bad text");
      if (event.text() == "done") events.delivered(index);
      if (event.text() == "later") events.again(index);
      if (event.text() == "busy") return nfbus::Delivery::retry(index, "peer is busy", 250);
      ++index;
    }
    return nfbus::Delivery::ok();
  }
};
constexpr nfbus::Plugin kAnswersPlugin = nfbus::sink<Answers>("answers");
constexpr nfbus_plugin kAnswers = kAnswersPlugin.raw();

TEST(Sink, SaysHowMuchOfABatchIsDone) {
  SinkDriver sink(kAnswers, {});
  const Written written = sink.write({"a", "bad", "busy", "bad"});
  EXPECT_EQ(written.status, NFBUS_RETRY);
  EXPECT_EQ(written.done, 2U);
  EXPECT_EQ(written.error, "peer is busy");
  EXPECT_THAT(written.rejected, ElementsAre(Pair(1U, "bad text")));
  EXPECT_EQ(sink.write({"a"}).status, NFBUS_OK);
  EXPECT_EQ(sink.write({"fatal"}).status, NFBUS_FATAL);
  EXPECT_EQ(sink.error(), "cannot go on");
}

TEST(Sink, SaysOfEachEventWhatBecameOfIt) {
  SinkDriver sink(kAnswers, {});
  const Written written = sink.write({"later", "done", "a", "bad"});
  EXPECT_EQ(written.status, NFBUS_OK);
  EXPECT_THAT(written.outcomes, ElementsAre(NFBUS_AGAIN, NFBUS_DELIVERED, 0U, NFBUS_REJECTED));
}

class Talkative {
 public:
  static void write(nfbus::Events /*events*/) { throw std::runtime_error(std::string(1023, 'x') + "\u00e9\u00e9"); }
};
constexpr nfbus::Plugin kTalkativePlugin = nfbus::sink<Talkative>("talkative");
constexpr nfbus_plugin kTalkative = kTalkativePlugin.raw();

TEST(Sink, CutsALongErrorBetweenCharacters) {
  SinkDriver sink(kTalkative, {});
  EXPECT_EQ(sink.write({"a"}).error, std::string(1023, 'x'));
}

int count_arguments(nfbus::Host host, nfbus::CommandCall call) {
  if (call.arguments().size() > 2) throw std::runtime_error("too many arguments");
  host.info(call.arguments()[0]);
  for (std::uint32_t i = 0; i < call.instance_count(); ++i) host.info(call.instance(i).options().text("file"));
  return 5;
}
class Suspicious {
 public:
  void write(nfbus::Events /*events*/) {}
  void diagnose(nfbus::Findings findings) {
    findings.warning("it is slow", "be patient");
    throw std::runtime_error("looked too closely");
  }
};
constexpr nfbus_command kCommands[] = {nfbus::command<count_arguments>("count", "counts its arguments")};
constexpr nfbus::Plugin kEntryPlugin = nfbus::sink<Suspicious>("the-name", {.summary = "a summary",
                                                                            .version = "1.2",
                                                                            .schema = "{}",
                                                                            .event_kinds = NFBUS_EVENT_MESSAGE,
                                                                            .shape = {.batch_events = 3, .tick_ms = 9},
                                                                            .commands = kCommands});
constexpr nfbus_plugin kEntry = kEntryPlugin.raw();

TEST(Entry, CarriesWhatThePluginSaysOfItself) {
  EXPECT_EQ(kEntry.struct_size, sizeof(nfbus_plugin));
  EXPECT_EQ(kEntry.plugin_kind, NFBUS_PLUGIN_SINK);
  EXPECT_EQ(kEntry.event_kinds, NFBUS_EVENT_MESSAGE);
  EXPECT_EQ(nfbus::to_view(kEntry.name), "the-name");
  EXPECT_EQ(nfbus::to_view(kEntry.version), "1.2");
  EXPECT_EQ(nfbus::to_view(kEntry.summary), "a summary");
  EXPECT_EQ(nfbus::to_view(kEntry.schema), "{}");
  EXPECT_EQ(kEntry.shape->batch_events, 3U);
  EXPECT_EQ(kEntry.shape->tick_ms, 9U);
  ASSERT_EQ(kEntry.command_count, 1U);
  EXPECT_EQ(nfbus::to_view(kEntry.commands[0]->name), "count");
}

TEST(Entry, ACommandGivesItsExitStatusAndAThrowIsLogged) {
  const nfbus::test::FakeHost host;
  const nfbus::test::FakeOptions options(nfbus::test::Values{{"/file", "out.pcap"}});
  const nfbus_configured instance{sizeof instance,           NFBUS_PLUGIN_SINK, nfbus::to_text("the-name"),
                                  nfbus::to_text("archive"), options.raw(),     host.raw()};
  const nfbus_configured* const instances[] = {&instance};
  const char* const arguments[] = {"count", "a", "b"};
  nfbus_command_call call{sizeof call, 2, arguments, instances, 1, 0};
  EXPECT_EQ(kEntry.commands[0]->run(host.raw(), &call), 5);
  call.argument_count = 3;
  EXPECT_EQ(kEntry.commands[0]->run(host.raw(), &call), 1);
  EXPECT_THAT(host.logged, ElementsAre(Pair(NFBUS_LOG_INFO, "count"), Pair(NFBUS_LOG_INFO, "out.pcap"),
                                       Pair(NFBUS_LOG_ERROR, "too many arguments")));
}

TEST(Entry, WhatDiagnoseThrowsIsAFinding) {
  std::vector<std::pair<std::uint32_t, std::string>> found;
  const nfbus_findings findings = {.struct_size = sizeof findings,
                                   .reserved = 0,
                                   .context = &found,
                                   .found = [](void* context, std::uint32_t level, nfbus_text text, nfbus_text fix) {
                                     static_cast<decltype(found)*>(context)->emplace_back(
                                         level,
                                         std::string(nfbus::to_view(text)) + ';' + std::string(nfbus::to_view(fix)));
                                   }};
  const nfbus::test::FakeHost host;
  const nfbus::test::FakeOptions options(nfbus::test::Values{});
  nfbus_error error{};
  void* instance = nullptr;
  ASSERT_EQ(kEntry.sink->create(host.raw(), options.raw(), &instance, &error), NFBUS_OK);
  kEntry.sink->diagnose(instance, &findings);
  kEntry.sink->destroy(instance);
  EXPECT_THAT(found, ElementsAre(Pair(NFBUS_LOG_WARNING, "it is slow;be patient"),
                                 Pair(NFBUS_LOG_ERROR, "looked too closely;")));
}

class ChecksItsOption {
 public:
  ChecksItsOption(nfbus::Host /*host*/, const nfbus::Options& options) {
    if (options.text("file") == "bad") throw nfbus::OptionError("drop/0/dst", "no such place");
  }
  void write(nfbus::Events /*events*/) {}
};
constexpr nfbus::Plugin kCheckingPlugin = nfbus::sink<ChecksItsOption>("checking");
constexpr nfbus_plugin kChecking = kCheckingPlugin.raw();

TEST(Entry, AnErrorOfTheConstructorNamesItsOption) {
  const nfbus::test::FakeHost host;
  for (const auto& [file, text, option] :
       {std::tuple("bad", "no such place", "/drop/0/dst"), std::tuple("", "option file is missing", "/file")}) {
    nfbus::test::Values values;
    if (*file != 0) values["/file"] = file;
    const nfbus::test::FakeOptions options(values);
    nfbus_error error{};
    void* instance = nullptr;
    EXPECT_EQ(kChecking.sink->create(host.raw(), options.raw(), &instance, &error), NFBUS_FATAL);
    EXPECT_EQ(std::string_view(error.text, error.size), text);
    EXPECT_EQ(std::string_view(error.option, error.option_size), option);
    EXPECT_EQ(instance, nullptr);
  }
}

}  // namespace
