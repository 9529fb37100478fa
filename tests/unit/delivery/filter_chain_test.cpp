#include "delivery/filter_chain.hpp"

#include "../make_events.hpp"
#include "delivery/capture_filters.hpp"
#include "delivery/overlay.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

using test::Events;

using Apply = std::uint32_t (*)(void*, nfbus_filter_call*, nfbus_error*);

// A filter of one function, as an in-memory plugin.
// The host that the newest filter was created with.
const nfbus_host* filter_host = nullptr;

std::unique_ptr<FilterInstance> make_filter(Apply apply, const SharedServices& services) {
  static std::vector<std::unique_ptr<nfbus_filter>> filters;
  static std::vector<std::unique_ptr<nfbus_entry>> entries;
  filters.push_back(std::make_unique<nfbus_filter>());
  entries.push_back(std::make_unique<nfbus_entry>());
  nfbus_filter& filter = *filters.back();
  filter.struct_size = sizeof filter;
  filter.create = [](const nfbus_host* host, const nfbus_options*, void**, nfbus_error*) -> std::uint32_t {
    filter_host = host;
    return NFBUS_OK;
  };
  filter.apply = apply;
  filter.destroy = [](void*) {};
  nfbus_entry& entry = *entries.back();
  entry.abi_major = NFBUS_ABI_MAJOR;
  entry.struct_size = sizeof entry;
  entry.plugin_kind = NFBUS_PLUGIN_FILTER;
  entry.name = NFBUS_TEXT("test");
  entry.filter = &filter;
  auto made = FilterInstance::create({.entry = &entry, .file = "test.so"}, "test", "{}", services);
  EXPECT_TRUE(made.ok());
  return std::move(made).value();
}

std::uint32_t drop_odd(void* /*self*/, nfbus_filter_call* call, nfbus_error* /*error*/) {
  for (std::uint32_t i = 0; i < call->count; ++i) {
    if (call->items[i]->sequence % 2 != 0) call->verdicts[i] = NFBUS_DROP;
  }
  return NFBUS_OK;
}

std::uint32_t drop_then_fail(void* /*self*/, nfbus_filter_call* call, nfbus_error* /*error*/) {
  for (std::uint32_t i = 0; i < call->count; ++i) call->verdicts[i] = NFBUS_DROP;
  return NFBUS_FATAL;
}

std::uint32_t note_fields(void* /*self*/, nfbus_filter_call* call, nfbus_error* /*error*/) {
  for (std::uint32_t i = 0; i < call->count; ++i) {
    const std::string seen = std::to_string(call->items[i]->field_count);
    call->annotate(call->context, i, NFBUS_TEXT("rule"), text(seen));
  }
  return NFBUS_OK;
}

std::uint32_t note_other(void* /*self*/, nfbus_filter_call* call, nfbus_error* /*error*/) {
  for (std::uint32_t i = 0; i < call->count; ++i) {
    call->annotate(call->context, i, NFBUS_TEXT("zone"), NFBUS_TEXT("dmz"));
  }
  return NFBUS_OK;
}

std::uint32_t render_into_field(void* /*self*/, nfbus_filter_call* call, nfbus_error* /*error*/) {
  const std::uint32_t format = filter_host->format(filter_host->context, NFBUS_TEXT("ulogd"));
  for (std::uint32_t i = 0; i < call->count; ++i) {
    call->annotate(call->context, i, NFBUS_TEXT("json"),
                   filter_host->render(filter_host->context, call->items[i], format));
  }
  return NFBUS_OK;
}

class Chains : public testing::Test {
 protected:
  FilterChain chain(const std::vector<Apply>& applies) {
    std::vector<std::unique_ptr<FilterInstance>> filters;
    for (const Apply apply : applies) filters.push_back(make_filter(apply, services_));
    return FilterChain(std::move(filters));
  }

  Events events_;
  FormatSet formats_{"test"};
  SharedServices services_{.formats = formats_, .publish = [](auto, auto) { return true; }};
};

using FilterChainTest = Chains;
using CaptureFilterChainTest = Chains;

std::vector<const nfbus_event*> pointers(const BatchRef& batch) {
  std::vector<const nfbus_event*> items;
  for (const Event& event : batch->events()) items.push_back(&event);
  return items;
}

TEST_F(FilterChainTest, ShowsEachFilterOnlyWhatThoseBeforeItKept) {
  FilterChain filters = chain({drop_odd, note_other});
  const BatchRef batch = events_.packets(5);
  auto items = pointers(batch);
  Overlay overlay;
  std::size_t annotated = 0;
  EXPECT_EQ(filters.apply(items,
                          [&](const nfbus_event& event, std::string_view name, std::string_view value) {
                            ++annotated;
                            return overlay.annotate(event, name, value);
                          }),
            2U);
  EXPECT_EQ(annotated, 3U);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[1]->sequence, 2U);
}

TEST_F(FilterChainTest, KeepsEverythingThatAFailingFilterJudged) {
  FilterChain filters = chain({drop_then_fail});
  const BatchRef batch = events_.packets(5);
  auto items = pointers(batch);
  EXPECT_EQ(filters.apply(items, [](const nfbus_event& event, auto, auto) { return &event; }), 0U);
  EXPECT_EQ(items.size(), 5U);
}

TEST_F(FilterChainTest, LeavesTheFrozenBatchAloneWhenASinksFilterAnnotates) {
  FilterChain filters = chain({note_fields, note_other, note_fields});
  const BatchRef batch = events_.packets(1);
  auto items = pointers(batch);
  Overlay overlay;
  filters.apply(items, [&](const nfbus_event& event, std::string_view name, std::string_view value) {
    return overlay.annotate(event, name, value);
  });
  EXPECT_EQ(batch->events()[0].field_count, 0U);
  ASSERT_EQ(items[0]->field_count, 2U);  // "rule" was replaced by the third filter
  EXPECT_EQ(view(items[0]->fields[0].value), "2");
  EXPECT_EQ(view(items[0]->fields[1].value), "dmz");
  EXPECT_EQ(host_event(*items[0]).origin, &batch->events()[0]);
}

TEST_F(CaptureFilterChainTest, LetsAFilterRenderEventsThatHaveNoPlaceInTheSharedTextsYet) {
  formats_.add_user(formats_.find("ulogd"));
  formats_.add_user(formats_.find("ulogd"));
  CaptureFilterChain filters(chain({render_into_field}));
  const BatchRef batch = events_.batches().take();
  batch->make_events(events_.writer(), 1)[0].kind = NFBUS_EVENT_PACKET;
  filters.apply(*batch, events_.writer());
  batch->freeze();
  ASSERT_EQ(batch->events()[0].field_count, 1U);
  EXPECT_EQ(view(batch->events()[0].fields[0].value).substr(0, 1), "{");
}

TEST_F(CaptureFilterChainTest, DropsAndAnnotatesInTheBatchItself) {
  CaptureFilterChain filters(chain({drop_odd, note_fields, note_other}));
  const BatchRef batch = events_.batches().take();
  const auto made = batch->make_events(events_.writer(), 5);
  for (std::uint32_t i = 0; i < made.size(); ++i) {
    made[i].kind = NFBUS_EVENT_PACKET;
    made[i].sequence = i;
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
