#include "running/pieces.hpp"

#include "scripted_filter.hpp"
#include "scripted_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Groups 1 and 2, and the sinks "a" and "b", all with the filter "few".
class PiecesTest : public testing::Test {
 protected:
  PiecesTest() {
    filter_.entry.name = NFBUS_TEXT("sample");
    test::ScriptedFilter::current() = &filter_;
    config_.filters.push_back({.name = "few", .plugin = "sample", .options_json = "{}", .where = {}, .places = {}});
    for (const std::uint16_t group : std::initializer_list<std::uint16_t>{1, 2}) {
      CaptureConfig capture;
      capture.group = group;
      capture.filters = {"few"};
      config_.captures.push_back(capture);
    }
    for (const char* name : {"a", "b"}) {
      SinkConfig sink;
      sink.name = name;
      sink.plugin = "scripted";
      sink.options_json = "{}";
      sink.filters = {"few"};
      config_.sinks.push_back(sink);
    }
  }
  [[nodiscard]] PluginRegistry plugins() const {
    return PluginRegistry::of(
        {test::ScriptedSink::plugin(), {.entry = &filter_.entry, .file = "sample.so", .library = nullptr}});
  }
  Pieces make() {
    Pieces pieces = make_pieces(config_, plugins_, services_, errors_);
    EXPECT_TRUE(errors_.empty());
    return pieces;
  }

  test::ScriptedSink sink_{[](const nfbus_events&, nfbus_report&) -> std::uint32_t { return NFBUS_OK; }};
  test::ScriptedFilter filter_{{}};
  Config config_;
  const PluginRegistry plugins_ = plugins();
  const FormatSet formats_{"test"};
  const SharedServices services_{
      .formats = formats_,
      .publish = [](std::string_view, std::string_view, const MessageOrigin&) { return true; },
      .fields = {}};
  std::vector<Error> errors_;
};

TEST_F(PiecesTest, GroupsShareAFilterAndEachSinkHasItsOwn) {
  const Pieces pieces = make();
  ASSERT_EQ(pieces.captures.size(), 2U);
  ASSERT_EQ(pieces.capture_chains.size(), 2U);
  EXPECT_EQ(pieces.capture_chains[0].first, 1);
  EXPECT_EQ(pieces.capture_chains[1].first, 2);
  const auto of_groups = pieces.capture_chains[0].second->chain().stages();
  EXPECT_EQ(of_groups, pieces.capture_chains[1].second->chain().stages());
  ASSERT_EQ(pieces.sinks.size(), 2U);
  EXPECT_NE(of_groups, pieces.sinks[0].filters.stages());
  EXPECT_NE(pieces.sinks[0].filters.stages(), pieces.sinks[1].filters.stages());
}

TEST_F(PiecesTest, NothingIsOpened) {
  make();
  EXPECT_THAT(sink_.history(), ElementsAre());
}

TEST_F(PiecesTest, ASinkThatNamesNoKindOfEventTakesPackets) {
  EXPECT_EQ(make().sinks.front().event_kinds, static_cast<std::uint32_t>(NFBUS_EVENT_PACKET));
}

TEST_F(PiecesTest, AMistakeOfAFilterThatSeveralNameIsToldOnce) {
  filter_.filter.create = [](const nfbus_host*, const nfbus_options*, void**, nfbus_error*) -> std::uint32_t {
    return NFBUS_FATAL;
  };
  const std::vector<Error> errors = try_pieces(config_, plugins_);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors.front().text, HasSubstr("filter.few: "));
}

TEST_F(PiecesTest, OnlyTheSinksThatAreAskedForAreMade) {
  auto plans = plans_of(config_, plugins_);
  std::erase_if(plans, [](const SinkPlan& plan) { return plan.config.name != "b"; });
  const auto made = make_sinks(config_, plans, plugins_, services_, errors_);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made.front().plan.config.name, "b");
  EXPECT_EQ(made.front().plan.filters, filter_configs(config_, {"few"}));
  EXPECT_THAT(made.front().plan.code, testing::ElementsAre(test::ScriptedSink::plugin().entry, &filter_.entry));
}

}  // namespace
}  // namespace nfbus::host
