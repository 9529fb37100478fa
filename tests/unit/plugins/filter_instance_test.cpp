#include "plugins/instance.hpp"

#include "instances.hpp"
#include "plugins/handshake.hpp"

#include <gmock/gmock.h>

#include <span>

namespace nfbus::host::test {
namespace {

using ::testing::ElementsAre;

class FilterInstances : public Instances {
 protected:
  Result<void> apply(FilterInstance& filter, std::size_t count) {
    auto items = events(count);
    verdicts_.assign(count, 0);
    room_.clear();
    fields_.clear();
    auto applied = filter.apply(items, verdicts_, room_);
    for (std::size_t i = 0; i < items.size(); ++i) {
      for (const nfbus_field& field : std::span(items[i]->fields, items[i]->field_count)) {
        fields_.push_back(std::to_string(i) + " " + std::string(view(field.name)) + "=" +
                          std::string(view(field.value)));
      }
    }
    return applied;
  }
  TestRoom room_;
  std::vector<std::uint8_t> verdicts_;
  std::vector<std::string> fields_;
};

TEST_F(FilterInstances, PassesOnVerdicts) {
  const auto drops = filter("filter_drops");
  ASSERT_TRUE(apply(*drops, 3).ok());
  EXPECT_THAT(verdicts_, ElementsAre(NFBUS_KEEP, NFBUS_DROP, NFBUS_KEEP));
  ASSERT_TRUE(apply(*drops, 2).ok());
  EXPECT_THAT(verdicts_, ElementsAre(NFBUS_DROP, NFBUS_KEEP));
}

TEST_F(FilterInstances, KeepsEveryEventWhenTheFilterThrows) {
  const auto throws = filter("filter_throws");
  const auto result = apply(*throws, 2);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().text, "apply() failed: it threw an exception: this filter always throws");
  EXPECT_THAT(verdicts_, ElementsAre(NFBUS_KEEP, NFBUS_KEEP));
}

TEST_F(FilterInstances, PassesOnAnnotations) {
  const auto annotates = filter("filter_annotates", R"({"name":"host","value":"printer"})");
  ASSERT_TRUE(apply(*annotates, 2).ok());
  EXPECT_THAT(fields_, ElementsAre("0 host=printer", "1 host=printer"));
  EXPECT_THAT(verdicts_, ElementsAre(NFBUS_KEEP, NFBUS_KEEP));
}

TEST_F(FilterInstances, IgnoresAnnotationsWithoutAnEventOrAName) {
  nfbus_filter calls{};
  calls.struct_size = sizeof calls;
  calls.create = [](const nfbus_host*, const nfbus_options*, void**, nfbus_error*) { return NFBUS_OK; };
  calls.apply = [](void*, nfbus_filter_call* call, nfbus_error*) {
    const auto annotate = [&](std::uint32_t index, nfbus_field field) {
      return call->annotate(call->context, index, &field);
    };
    const nfbus_text name = NFBUS_TEXT("name");
    EXPECT_EQ(annotate(call->count, {name, {}, NFBUS_VALUE_TEXT, 0}), NFBUS_REFUSED);
    EXPECT_EQ(annotate(0, {{}, name, NFBUS_VALUE_TEXT, 0}), NFBUS_REFUSED);
    EXPECT_EQ(annotate(0, {{nullptr, 9}, name, NFBUS_VALUE_TEXT, 0}), NFBUS_REFUSED);
    EXPECT_EQ(annotate(0, {name, name, 0, 0}), NFBUS_REFUSED);
    EXPECT_EQ(call->annotate(call->context, 0, nullptr), NFBUS_REFUSED);
    EXPECT_EQ(annotate(0, {name, {nullptr, 9}, NFBUS_VALUE_TEXT, 0}), NFBUS_OK);
    return NFBUS_OK;
  };
  calls.destroy = [](void*) {};
  nfbus_plugin entry{};
  entry.plugin_kind = NFBUS_PLUGIN_FILTER;
  entry.filter = &calls;
  auto made = FilterInstance::create({.entry = &entry, .file = "fake.so", .library = nullptr}, "quiet", "{}", shared_);
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE(apply(*made.value(), 1).ok());
  EXPECT_THAT(fields_, ElementsAre("0 name="));
}

TEST_F(FilterInstances, RefusesASinkWhereAFilterIsNeeded) {
  const auto made = FilterInstance::create(plugin("noop"), "quiet", "{}", shared_);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().text, "plugin \"noop\" is a sink, not a filter");
}

}  // namespace
}  // namespace nfbus::host::test
