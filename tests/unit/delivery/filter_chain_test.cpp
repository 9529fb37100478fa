#include "delivery/filter_chain.hpp"

#include "delivery/capture_filters.hpp"
#include "delivery/overlay.hpp"
#include "make_events.hpp"
#include "scripted_filter.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nfbus::host {
namespace {

using test::Events;

using test::FilterScript;
using test::make_filter;
using test::make_stage;
using test::newest_filter_host;

std::uint32_t drop_odd(nfbus_filter_call& call) {
  for (std::uint32_t i = 0; i < call.count; ++i) {
    if (call.items[i]->sequence % 2 != 0) call.verdicts[i] = NFBUS_DROP;
  }
  return NFBUS_OK;
}

std::uint32_t drop_all(nfbus_filter_call& call) {
  for (std::uint32_t i = 0; i < call.count; ++i) call.verdicts[i] = NFBUS_DROP;
  return NFBUS_OK;
}

std::uint32_t drop_then_fail(nfbus_filter_call& call) {
  drop_all(call);
  return NFBUS_FATAL;
}

std::uint32_t note_fields(nfbus_filter_call& call) {
  for (std::uint32_t i = 0; i < call.count; ++i) {
    const std::string seen = std::to_string(call.items[i]->field_count);
    test::annotate(call, i, "rule", seen);
  }
  return NFBUS_OK;
}

std::uint32_t note_other(nfbus_filter_call& call) {
  for (std::uint32_t i = 0; i < call.count; ++i) {
    test::annotate(call, i, "zone", "dmz");
  }
  return NFBUS_OK;
}

std::uint32_t render_into_field(nfbus_filter_call& call) {
  const nfbus_host& host = *newest_filter_host();
  const std::uint32_t format = host.format(host.context, NFBUS_TEXT("ulogd"));
  for (std::uint32_t i = 0; i < call.count; ++i) {
    test::annotate(call, i, "json", view(host.render(host.context, call.items[i], format)));
  }
  return NFBUS_OK;
}

std::vector<const nfbus_event*> pointers(const BatchRef& batch) {
  std::vector<const nfbus_event*> items;
  for (const Event& event : batch->events()) items.push_back(&event);
  return items;
}

class Chains : public testing::Test {
 protected:
  FilterChain chain(std::vector<FilterScript> scripts) {
    std::vector<std::shared_ptr<FilterStage>> stages;
    for (FilterScript& script : scripts) stages.push_back(make_stage(std::move(script), services_));
    return FilterChain(std::move(stages));
  }
  void listen(const FilterChain& filters) {
    for (const auto& stage : filters.stages()) bus_.add(stage->messages());
  }
  void publish(std::string_view topic, std::string_view message) { bus_.publish(make_message(topic, message, 1, 0)); }
  static std::size_t apply(FilterChain& filters, const BatchRef& batch) {
    auto items = pointers(batch);
    Overlay overlay;
    return filters.apply(items, overlay);
  }

  Events events_;
  FormatSet formats_{"test"};
  Bus bus_;
  SharedServices services_{.formats = formats_, .publish = [](auto, auto, auto) { return true; }};
};

using FilterChainTest = Chains;
using CaptureFilterChainTest = Chains;

TEST_F(FilterChainTest, ShowsEachFilterOnlyWhatThoseBeforeItKept) {
  FilterChain filters = chain({{.apply = drop_odd}, {.apply = note_other}});
  const BatchRef batch = events_.packets(5);
  auto items = pointers(batch);
  Overlay overlay;
  EXPECT_EQ(filters.apply(items, overlay), 2U);
  EXPECT_EQ(items[0]->field_count, 1U);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[1]->sequence, 2U);
}

TEST_F(FilterChainTest, KeepsEverythingThatAFailingFilterJudged) {
  FilterChain filters = chain({{.apply = drop_then_fail}});
  const BatchRef batch = events_.packets(5);
  auto items = pointers(batch);
  Overlay overlay;
  EXPECT_EQ(filters.apply(items, overlay), 0U);
  EXPECT_EQ(items.size(), 5U);
  EXPECT_EQ(filters.snapshots().front().failures, 1U);
}

TEST_F(FilterChainTest, ShowsAFilterOnlyTheKindsOfEventsThatItTakes) {
  FilterChain other = chain({{.apply = drop_all, .event_kinds = NFBUS_EVENT_MESSAGE}});
  EXPECT_EQ(apply(other, events_.packets(2)), 0U);
  FilterChain packets = chain({{.apply = drop_all}});
  EXPECT_EQ(apply(packets, make_message("alarm", "fire", 1, 0)), 0U) << "takes packets, as it does not say";
  EXPECT_EQ(apply(other, make_message("alarm", "fire", 1, 0)), 1U);
}

TEST_F(FilterChainTest, HandsOverTheMessagesThatAFilterListensToBeforeItsEvents) {
  std::vector<std::string> calls;
  FilterChain filters = chain({{.apply =
                                    [&](nfbus_filter_call& call) {
                                      calls.push_back(std::to_string(call.count) + " events");
                                      return NFBUS_OK;
                                    },
                                .hear =
                                    [&](const nfbus_events& messages) {
                                      for (std::uint32_t i = 0; i < messages.count; ++i) {
                                        calls.emplace_back(view(messages.items[i]->topic));
                                      }
                                      return NFBUS_OK;
                                    },
                                .listens = {"dns:", "dhcp:"}}});
  listen(filters);
  publish("dns:serve:a", "{}");
  publish("alarm", "{}");
  publish("dhcp:b", "{}");
  apply(filters, events_.packets(3));
  apply(filters, events_.packets(1));
  EXPECT_EQ(calls, (std::vector<std::string>{"dns:serve:a", "dhcp:b", "3 events", "1 events"}));
  EXPECT_EQ(filters.snapshots().front().heard, 2U);
}

TEST_F(FilterChainTest, BoundsWhatWaitsForAFilterAndCountsWhatItNeverHears) {
  std::uint64_t heard = 0;
  FilterChain filters = chain({{.hear =
                                    [&](const nfbus_events& messages) {
                                      heard += messages.count;
                                      return NFBUS_OK;
                                    },
                                .listens = {""}}});
  listen(filters);
  for (int i = 0; i < 10'000; ++i) publish("dns", "{}");
  apply(filters, events_.packets(1));
  const FilterSnapshot snapshot = filters.snapshots().front();
  EXPECT_EQ(snapshot.heard, heard);
  EXPECT_GT(heard, 0U);
  EXPECT_GT(snapshot.unheard, 0U);
  EXPECT_EQ(snapshot.heard + snapshot.unheard, 10'000U);
}

TEST_F(FilterChainTest, TicksEachFilterWhenItIsDueAndHandsOverItsMessagesFirst) {
  std::vector<std::string> calls;
  const auto script = [&](const char* name, std::uint32_t tick_ms) {
    return FilterScript{.tick =
                            [&calls, name] {
                              calls.emplace_back(name);
                              return NFBUS_OK;
                            },
                        .hear =
                            [&calls, name](const nfbus_events& /*messages*/) {
                              calls.push_back(std::string(name) + " hears");
                              return NFBUS_OK;
                            },
                        .tick_ms = tick_ms,
                        .listens = {"dns:"}};
  };
  FilterChain filters = chain({script("second", 1000), script("minute", 60'000)});
  listen(filters);
  publish("dns:a", "{}");
  const auto first = filters.next_tick();
  filters.tick(first - std::chrono::milliseconds(1));
  EXPECT_TRUE(calls.empty());
  filters.tick(first);
  EXPECT_EQ(calls, (std::vector<std::string>{"second hears", "second"}));
  EXPECT_EQ(filters.next_tick(), first + std::chrono::seconds(1));
  calls.clear();
  filters.tick(first + std::chrono::minutes(1));
  EXPECT_EQ(calls, (std::vector<std::string>{"second", "minute hears", "minute"}));
}

TEST_F(FilterChainTest, TellsAFilterOfTheEndAfterItsMessages) {
  std::vector<std::string> calls;
  FilterChain filters = chain({{.tick =
                                    [&] {
                                      calls.emplace_back("tick");
                                      return NFBUS_OK;
                                    },
                                .hear =
                                    [&](const nfbus_events& messages) {
                                      calls.push_back(std::to_string(messages.count) + " messages");
                                      return NFBUS_OK;
                                    },
                                .finish =
                                    [&] {
                                      calls.emplace_back("finish");
                                      return NFBUS_OK;
                                    },
                                .tick_ms = 1000,
                                .listens = {""}},
                               {.apply = drop_odd}});
  listen(filters);
  publish("dns:a", "{}");
  EXPECT_TRUE(filters.finishes());
  filters.finish();
  EXPECT_EQ(calls, (std::vector<std::string>{"1 messages", "finish"}));
}

TEST_F(FilterChainTest, TicksAndFinishesAFilterOfTwoChainsOnce) {
  std::vector<std::string> calls;
  const auto stage = make_stage({.tick =
                                     [&] {
                                       calls.emplace_back("tick");
                                       return NFBUS_OK;
                                     },
                                 .finish =
                                     [&] {
                                       calls.emplace_back("finish");
                                       return NFBUS_OK;
                                     },
                                 .tick_ms = 1000},
                                services_);
  FilterChain one({stage});
  FilterChain other({stage});
  const auto due = one.next_tick();
  EXPECT_EQ(other.next_tick(), due);
  one.tick(due);
  other.tick(due);
  one.finish();
  other.finish();
  EXPECT_EQ(calls, (std::vector<std::string>{"tick", "finish"}));
}

TEST_F(FilterChainTest, NeverTicksAFilterThatDoesNotAskForIt) {
  FilterChain filters = chain({{.apply = drop_odd}});
  EXPECT_FALSE(filters.finishes());
  EXPECT_EQ(filters.next_tick(), FilterChain::kNever);
}

TEST_F(FilterChainTest, CountsAndLogsTicksAndMessagesThatFail) {
  FilterChain filters = chain({{.tick = []() -> std::uint32_t { throw std::runtime_error("no disk"); },
                                .hear = [](const nfbus_events& /*messages*/) { return NFBUS_FATAL; },
                                .tick_ms = 1000,
                                .listens = {""}}});
  listen(filters);
  publish("dns:a", "{}");
  testing::internal::CaptureStderr();
  filters.tick(filters.next_tick());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("filter.test: hear() failed"), std::string::npos) << log;
  EXPECT_EQ(filters.snapshots().front().failures, 2U);
  EXPECT_EQ(filters.snapshots().front().heard, 1U);
}

TEST_F(FilterChainTest, RefusesAFilterThatListensButCannotHear) {
  const auto made = test::try_filter({.listens = {"dns:"}}, services_);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().text,
            "the plugin listens to messages, but its nfbus_filter has no hear(): set nfbus_filter.hear");
}

TEST_F(FilterChainTest, LetsAFilterListenInItsCreateOnly) {
  const auto made = make_filter({.hear = [](const nfbus_events& /*messages*/) { return NFBUS_OK; }}, services_);
  const nfbus_host& host = *newest_filter_host();
  EXPECT_EQ(host.listen(host.context, NFBUS_TEXT("dns:")), NFBUS_REFUSED);
  EXPECT_TRUE(made->listened().empty());
}

TEST_F(FilterChainTest, LeavesTheFrozenBatchAloneWhenASinksFilterAnnotates) {
  FilterChain filters = chain({{.apply = note_fields}, {.apply = note_other}, {.apply = note_fields}});
  const BatchRef batch = events_.packets(1);
  auto items = pointers(batch);
  Overlay overlay;
  filters.apply(items, overlay);
  EXPECT_EQ(batch->events()[0].field_count, 0U);
  ASSERT_EQ(items[0]->field_count, 2U);  // "rule" was replaced by the third filter
  EXPECT_EQ(view(items[0]->fields[0].value), "2");
  EXPECT_EQ(view(items[0]->fields[1].value), "dmz");
  EXPECT_EQ(host_event(*items[0]).origin, &batch->events()[0]);
}

TEST_F(FilterChainTest, TicksAFilterThatAsksToBeWoken) {
  int ticks = 0;
  FilterChain filters = chain({{.tick = [&] {
    ++ticks;
    return NFBUS_OK;
  }}});
  int woken = 0;
  filters.set_waker([&] { ++woken; });
  const nfbus_host& host = *newest_filter_host();
  host.wake(host.context);
  host.wake(host.context);
  EXPECT_EQ(woken, 2);
  EXPECT_LT(filters.next_tick(), FilterChain::Clock::now());
  filters.tick(FilterChain::Clock::now());
  filters.tick(FilterChain::Clock::now());
  EXPECT_EQ(ticks, 1);
}

TEST_F(FilterChainTest, ShowsTheSinkWhatAFilterMadeOfATopicAndNobodyElse) {
  FilterChain filters = chain({{.apply = [](nfbus_filter_call& call) {
    EXPECT_EQ(call.set_topic(call.context, 0, NFBUS_TEXT("lan:printer")), NFBUS_OK);
    EXPECT_EQ(call.set_topic(call.context, 0, NFBUS_TEXT("nfbus:status")), NFBUS_REFUSED);
    EXPECT_EQ(call.set_topic(call.context, 7, NFBUS_TEXT("out of range")), NFBUS_REFUSED);
    return NFBUS_OK;
  }}});
  const BatchRef batch = events_.packets(1);
  const std::string before(view(batch->events()[0].topic));
  auto items = pointers(batch);
  Overlay overlay;
  filters.apply(items, overlay);
  EXPECT_EQ(view(items[0]->topic), "lan:printer");
  EXPECT_EQ(view(batch->events()[0].topic), before);
}

TEST_F(CaptureFilterChainTest, LetsAFilterRenderEventsThatHaveNoPlaceInTheSharedTextsYet) {
  const FormatUse first(formats_, formats_.find("ulogd"));
  const FormatUse second(formats_, formats_.find("ulogd"));
  CaptureFilterChain filters(chain({{.apply = render_into_field}}));
  const BatchRef batch = events_.batches().take();
  batch->reserve_events(events_.writer(), 1);
  batch->add_event().kind = NFBUS_EVENT_PACKET;
  filters.apply(*batch, events_.writer());
  batch->freeze();
  ASSERT_EQ(batch->events()[0].field_count, 1U);
  EXPECT_EQ(view(batch->events()[0].fields[0].value).substr(0, 1), "{");
}

TEST_F(CaptureFilterChainTest, DropsAndAnnotatesInTheBatchItself) {
  CaptureFilterChain filters(chain({{.apply = drop_odd}, {.apply = note_fields}, {.apply = note_other}}));
  const BatchRef batch = events_.batches().take();
  batch->reserve_events(events_.writer(), 5);
  for (std::uint32_t i = 0; i < 5; ++i) {
    Event& event = batch->add_event();
    event.kind = NFBUS_EVENT_PACKET;
    event.sequence = i;
  }
  EXPECT_EQ(filters.apply(*batch, events_.writer()), 2U);
  batch->freeze();
  ASSERT_EQ(batch->events().size(), 3U);
  for (const Event& event : batch->events()) {
    EXPECT_EQ(event.sequence % 2, 0U);
    ASSERT_EQ(event.field_count, 2U);
    EXPECT_EQ(view(event.fields[0].name), "rule");
    EXPECT_EQ(view(event.fields[1].value), "dmz");
  }
}

}  // namespace
}  // namespace nfbus::host
