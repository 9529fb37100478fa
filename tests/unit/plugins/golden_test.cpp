// The libraries of tests/golden: what was built against an older ABI works on this host, to the last call.
#include "check_event.hpp"
#include "instances.hpp"
#include "packets.hpp"
#include "plugins/options.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/source_instance.hpp"

#include <nfbus/text.hpp>

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace nfbus::host::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;
using Status = WriteResult::Status;

class Golden : public Instances, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
#if !defined(__x86_64__)
    GTEST_SKIP() << "the golden libraries are x86-64's";
#endif
    for (const auto& file : fs::directory_iterator(fs::path(NFBUS_TEST_DATA).parent_path() / "golden" / GetParam())) {
      if (file.path().extension() == ".so") folder_.add(file.path());
    }
    registry_ = folder_.scan();
    for (const RefusedPlugin& refused : registry_.refused()) ADD_FAILURE() << refused.file << refused.error.text;
  }

  const Plugin& golden(const std::string& name) {
    const Plugin* found = registry_.find(name);
    if (found == nullptr) throw std::runtime_error("no golden plugin " + name);
    return *found;
  }

  std::unique_ptr<SinkInstance> golden_sink(const std::string& name, const std::string& options) {
    auto made = SinkInstance::create(golden(name), "archive", options, shared_);
    if (!made.ok()) throw std::runtime_error(made.error().text);
    return std::move(made).value();
  }

  // One message a text, in a batch.
  std::vector<const nfbus_event*> messages(const std::vector<std::string>& texts) {
    std::vector<const nfbus_event*> out;
    for (const std::string& text : texts) {
      batches_.push_back(make_message("alarm", text, 1, 0));
      out.push_back(batches_.back()->events().data());
    }
    return out;
  }

  const nfbus_event* packet(const std::string& name) {
    const nfbus::test::Packet fixture = nfbus::test::load_packet(NFBUS_TEST_DATA, name);
    const Event event = nfbus::test::decode_record(fixture.record);
    const Event* const one = &event;
    batches_.push_back(copy_events({&one, 1}));
    return batches_.back()->events().data();
  }

  WriteResult write(SinkInstance& sink, const std::vector<const nfbus_event*>& items) {
    outcomes_.assign(items.size(), Outcome::unnamed);
    reasons_.clear();
    const std::function<void(std::uint32_t, std::string_view)> reason = [this](std::uint32_t, std::string_view text) {
      reasons_.emplace_back(text);
    };
    return sink.write(
        {.items = items, .size_bytes = 10, .outcomes = outcomes_, .reason = reason, .deadline = deadline_});
  }

  // What diagnose() of an instance finds: "LEVEL TEXT: FIX".
  template <typename Table>
  std::vector<std::string> diagnose(const Table& table, const std::string& options) {
    std::vector<std::string> found;
    InstanceServices services("sink.archive", "archive", shared_);
    services.allow_listening(true);
    const auto instance = create_instance("sink.x", table.create, *services.abi(), options);
    if (!instance.ok()) return {instance.error().text};
    nfbus_findings findings{};
    findings.struct_size = sizeof findings;
    findings.context = &found;
    findings.found = [](void* context, std::uint32_t level, nfbus_text text, nfbus_text fix) {
      static_cast<std::vector<std::string>*>(context)->push_back(
          std::to_string(level) + ' ' + std::string(to_view(text)) + ": " + std::string(to_view(fix)));
    };
    table.diagnose(*instance, &findings);
    table.destroy(*instance);
    return found;
  }

  Folder folder_;
  PluginRegistry registry_;
  std::vector<BatchRef> batches_;
  WriteDeadline deadline_;
  std::vector<Outcome> outcomes_;
  std::vector<std::string> reasons_;
};

constexpr const char* kSinkOptions =
    R"({"match":[{"topic":"al*"},{"proto":"tcp"}],"names":["b","c"],"batch_events":9,"ratio":1,"is_good":true})";

TEST_P(Golden, LibrariesSayWhatTheyBring) {
  const nfbus_plugin& sink = *golden("golden_sink").entry;
  EXPECT_EQ(view(sink.version), GetParam());
  EXPECT_EQ(view(sink.summary), "a sink of ABI 1.0");
  EXPECT_EQ(sink.shape->batch_bytes, 65536U);
  EXPECT_EQ(sink.command_count, 1U);
  const nfbus_plugin& filter = *golden("golden_filter").entry;
  EXPECT_EQ(filter.annotates_count, 6U);
  EXPECT_EQ(view(filter.annotates[5]), "json");
  EXPECT_EQ(golden("golden_source").entry->flags, 0U);
  EXPECT_EQ(golden("golden_lossless").entry->flags, NFBUS_LOSSLESS);
  EXPECT_EQ(golden("golden_lossless").library, golden("golden_source").library);
  const nfbus_library& library = *golden("golden_c_sink").library;
  EXPECT_EQ(*static_cast<const std::uint32_t*>(library.extension(NFBUS_TEXT("golden.answer"))), 42U);
  EXPECT_EQ(library.extension(NFBUS_TEXT("golden.question")), nullptr);
}

TEST_P(Golden, PrivilegedPartGoesByItsOptionsAndAnswersItsPluginAlone) {
  auto parts = PrivilegedParts::start({{.name = "sink.archive", .plugin = "golden_sink"}}, {folder_.path()},
                                      ::geteuid(), ::getegid(), "");
  nfbus_plugin plugin = *golden("golden_sink").entry;
  plugin.flags |= NFBUS_HAS_PRIVILEGED_PART;
  SharedServices shared = shared_;
  shared.parts = &parts;
  InstanceServices services("sink.archive", "archive", shared);
  const auto opened = services.open_privileged_part(plugin, R"({"name":"archive: "})");
  ASSERT_TRUE(opened.ok()) << opened.error().text;
  const nfbus_host& host = *services.abi();
  nfbus_error error{};
  error.struct_size = sizeof error;
  nfbus_bytes answer{};
  const auto ask = [&](std::string_view text) {
    const nfbus_bytes request = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    return host.request(host.context, request, 5000, &answer, &error);
  };
  ASSERT_EQ(ask("hello"), NFBUS_OK);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(answer.data), answer.size), "archive: hello");
  EXPECT_EQ(ask("no"), NFBUS_FAILED);
  EXPECT_THAT(std::string(error.text, error.size), HasSubstr("as it asked"));
  EXPECT_FALSE(services.open_privileged_part(plugin, R"({"name":"another"})").ok());
  InstanceServices other("sink.other", "other", shared);
  EXPECT_EQ(other.abi()->request(other.abi()->context, {}, 5000, &answer, &error), NFBUS_REFUSED);
}

TEST_P(Golden, SinkSaysOfEachMessageWhatBecameOfIt) {
  const auto sink = golden_sink("golden_sink", kSinkOptions);
  const auto shape = sink->open();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->batch_events, 9U);
  EXPECT_EQ(shape->batch_age_ms, 50U);
  std::size_t wakes = 0;
  sink->set_waker([&] { ++wakes; });

  EXPECT_EQ(write(*sink, messages({"a", "again", "reject", "b"})).status, Status::ok);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::delivered, Outcome::again, Outcome::rejected, Outcome::delivered));
  EXPECT_THAT(reasons_, ElementsAre("as it asked"));
  EXPECT_EQ(wakes, 1U);

  const WriteResult retry = write(*sink, messages({"again", "retry", "c"}));
  EXPECT_EQ(retry.status, Status::again);
  EXPECT_EQ(retry.retry_after_ms, 20U);
  EXPECT_THAT(retry.error, HasSubstr("come back later"));
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::delivered, Outcome::unnamed, Outcome::unnamed));

  const WriteResult thrown = write(*sink, messages({"d", "throw"}));
  EXPECT_EQ(thrown.status, Status::failed);
  EXPECT_THAT(thrown.error, HasSubstr("as it asked"));
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::delivered, Outcome::unnamed));
  EXPECT_EQ(write(*sink, messages({"fatal"})).status, Status::fatal);
  EXPECT_EQ(counter(sink->services(), "delivered"), 4U);
  EXPECT_EQ(counter(sink->services(), "matched"), 9U);

  EXPECT_EQ(sink->services().copies_held(), 1U);
  EXPECT_TRUE(sink->tick().ok());
  EXPECT_EQ(sink->services().copies_held(), 0U);
  EXPECT_TRUE(sink->reopen().ok());
  EXPECT_TRUE(sink->flush().ok());
  sink->close();
  EXPECT_THAT(published_, ElementsAre(Pair("golden:kept", "alarm"), Pair("golden:reopen", "b c "),
                                      Pair("golden:flush", "b c "), Pair("golden:close", "b c ")));
}

TEST_P(Golden, SinkTellsWhatTheHostSaysOfAPacket) {
  const auto sink = golden_sink("golden_sink", kSinkOptions);
  ASSERT_TRUE(sink->open().ok());
  EXPECT_EQ(write(*sink, {packet("ipv4_tcp_data"), packet("ipv4_udp_dns")}).status, Status::ok);
  EXPECT_EQ(counter(sink->services(), "matched"), 1U);
  EXPECT_EQ(counter(sink->services(), "questions"), 1U);
  ASSERT_EQ(published_.size(), 5U);
  EXPECT_THAT(published_[0].second, AllOf(StartsWith("{"), HasSubstr(R"("src_ip":"192.168.2.5")")));
  EXPECT_THAT(published_[1], Pair("golden:record", "192.168.2.5 43210"));
  EXPECT_THAT(published_[4], Pair("golden:dns", "example.org"));
  sink->close();
}

TEST_P(Golden, SinkSaysWhichOptionIsWrong) {
  const auto refused = [&](const std::string& options) {
    auto made = SinkInstance::create(golden("golden_sink"), "archive", options, shared_);
    return made.ok() ? Error{} : made.error();
  };
  const Error ratio = refused(R"({"match":[],"names":[],"batch_events":9,"ratio":1.5,"is_good":true})");
  EXPECT_EQ(ratio.option, "/ratio");
  EXPECT_THAT(ratio.text, HasSubstr("a ratio is 1 at most"));
  const Error bad = refused(R"({"match":[],"names":[],"batch_events":9,"ratio":1,"is_good":false})");
  EXPECT_EQ(bad.option, "");
  EXPECT_THAT(bad.text, HasSubstr("this sink is not good"));
}

TEST_P(Golden, CommandGetsItsArgumentsAndTheInstances) {
  const nfbus_command& command = *golden("golden_sink").entry->commands[0];
  EXPECT_EQ(view(command.name), "golden-count");
  InstanceServices services("golden-count", "golden-count", shared_);
  const std::array<const char*, 3> arguments{"golden-count", "a", nullptr};
  nfbus_command_call call{};
  call.struct_size = sizeof call;
  call.argument_count = 2;
  call.arguments = arguments.data();
  EXPECT_EQ(command.run(services.abi(), &call), 20);
}

TEST_P(Golden, FilterMasksCutsNamesAndAnnotates) {
  auto made =
      FilterInstance::create(golden("golden_filter"), "quiet", R"({"drop":[{"proto":"udp"}],"bytes":44})", shared_);
  ASSERT_TRUE(made.ok()) << made.error().text;
  FilterInstance& filter = **made;
  ASSERT_TRUE(filter.open().ok());
  EXPECT_EQ(filter.tick_ms(), 250U);
  EXPECT_THAT(filter.listened(), ElementsAre("golden:"));

  TestRoom room;
  const nfbus_event* const before = packet("ipv4_tcp_data");
  std::vector<const nfbus_event*> items{before, packet("ipv4_udp_dns")};
  std::vector<std::uint8_t> verdicts(items.size());
  ASSERT_TRUE(filter.apply(items, verdicts, room).ok());
  EXPECT_THAT(verdicts, ElementsAre(NFBUS_KEEP, NFBUS_DROP));
  const nfbus_event& event = *items[0];
  EXPECT_EQ(std::vector(event.payload.data + 12, event.payload.data + 20),
            (std::vector<std::uint8_t>{192, 168, 2, 0, 8, 8, 8, 0}));
  EXPECT_EQ(before->payload.data[15], 5);
  EXPECT_EQ(event.payload.size, 44U);
  EXPECT_EQ(event.packet_size, before->packet_size);
  EXPECT_EQ(view(event.topic), "golden:masked");
  std::vector<std::string> fields;
  for (const nfbus_field& field : std::span(event.fields, event.field_count)) {
    fields.push_back(std::string(view(field.name)) + "=" + std::string(view(field.value)) + " " +
                     std::to_string(field.type));
  }
  EXPECT_THAT(fields, ElementsAre("text=a \"text\" 1", "integer=42 2", "number=-1.5 3", "boolean=true 4",
                                  "address=192.168.2.0 7", R"(json={"a":[1]} 8)"));
  EXPECT_EQ(counter(filter.services(), "refused"), 4U);

  const auto heard = messages({"one", "two"});
  EXPECT_TRUE(filter.hear(heard, 6).ok());
  EXPECT_TRUE(filter.tick().ok());
  EXPECT_TRUE(filter.reopen().ok());
  EXPECT_TRUE(filter.finishes());
  EXPECT_TRUE(filter.finish().ok());
  EXPECT_THAT(published_, ElementsAre(Pair("golden_filter:heard", "two"), Pair("golden_filter:reopen", ""),
                                      Pair("golden_filter:finish", "two")));
}

// Finds room for one item in each call, but for none in the first.
class SlowFeed final : public SourceFeed {
 public:
  Accepted take(std::span<const nfbus_record* const> records) override {
    if (calls_++ == 0) return {.count = 0, .status = NFBUS_FULL};
    records_.emplace_back(records[0]->data.data, records[0]->data.data + records[0]->data.size);
    times_.push_back(records[0]->time_ns);
    return {.count = 1, .status = records.size() == 1 ? NFBUS_OK : NFBUS_FULL};
  }
  Accepted take(std::span<const nfbus_message* const> messages) override {
    said_.push_back(std::string(view(messages[0]->topic)) + " " + std::string(view(messages[0]->text)));
    return {.count = 1, .status = NFBUS_OK};
  }
  bool wait_for_stop(std::uint32_t timeout_ms) override {
    EXPECT_EQ(timeout_ms, 1000U);
    return waits_++ == 1;
  }

  std::size_t calls_ = 0;
  std::size_t waits_ = 0;
  std::vector<std::vector<std::uint8_t>> records_;
  std::vector<std::int64_t> times_;
  std::vector<std::string> said_;
};

TEST_P(Golden, SourcesHandOverAndStop) {
  for (const char* name : {"golden_source", "golden_lossless"}) {
    auto made = SourceInstance::create(golden(name), "feed", R"({"records":3})", shared_);
    ASSERT_TRUE(made.ok()) << made.error().text;
    SourceInstance& source = **made;
    EXPECT_EQ(source.lossless(), name == std::string("golden_lossless"));
    ASSERT_TRUE(source.open().ok());
    SlowFeed feed;
    EXPECT_TRUE(source.run(feed).ok());
    EXPECT_EQ(feed.waits_, 2U);
    ASSERT_EQ(feed.records_.size(), 3U);
    const Event event = nfbus::test::decode_record(feed.records_[0]);
    EXPECT_EQ(view(event.prefix), "golden:in ");
    EXPECT_EQ(event.layers, NFBUS_LAYER_IPV4);
    EXPECT_EQ(feed.times_[0], 1'700'000'000'000'000'000);
    EXPECT_THAT(feed.said_, ElementsAre("golden:said hello"));
    source.stop();
    source.close();
    EXPECT_EQ(counter(source.services(), "taken"), 104U);
    EXPECT_EQ(counter(source.services(), "full"), 3U);
  }
  auto made = SourceInstance::create(golden("golden_source"), "feed", R"({"records":-1})", shared_);
  ASSERT_TRUE(made.ok());
  const auto opened = made.value()->open();
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().text, HasSubstr("there is nothing to read"));
}

TEST_P(Golden, SinkInCRejectsTheFirstAndWantsTheSecondAgain) {
  const auto sink = golden_sink("golden_c_sink", R"({"name":"gold"})");
  const auto shape = sink->open();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->batch_age_ms, 5U);
  const WriteResult result = write(*sink, messages({"a", "b", "c"}));
  EXPECT_EQ(result.status, Status::ok);
  EXPECT_EQ(result.retry_after_ms, 30U);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::rejected, Outcome::again, Outcome::unnamed));
  EXPECT_THAT(reasons_, ElementsAre("it was the first"));
  EXPECT_EQ(counter(sink->services(), "events"), 3U);
  // It has none of these.
  EXPECT_TRUE(sink->tick().ok());
  EXPECT_TRUE(sink->reopen().ok());
  EXPECT_TRUE(sink->flush().ok());
  ::testing::internal::CaptureStderr();
  sink->close();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("sink.archive: golden c sink closed"));
  auto refused = SinkInstance::create(golden("golden_c_sink"), "archive", R"({"name":"g"})", shared_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().option, "/name");
}

TEST_P(Golden, PluginsSayWhatIsWrongAroundThem) {
  EXPECT_THAT(diagnose(*golden("golden_sink").entry->sink, kSinkOptions), ElementsAre("2 it is b c : mend it"));
  EXPECT_THAT(diagnose(*golden("golden_filter").entry->filter, R"({"drop":[],"bytes":1})"),
              ElementsAre("3 it filters: "));
  EXPECT_THAT(diagnose(*golden("golden_source").entry->source, R"({"records":1})"),
              ElementsAre("1 it has nothing to read: give it a file"));
  EXPECT_EQ(golden("golden_c_sink").entry->sink->diagnose, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Abi, Golden, ::testing::Values("1.0"), [](const auto& version) {
  std::string name = version.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

}  // namespace
}  // namespace nfbus::host::test
