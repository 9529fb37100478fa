// A filter whose answers a test scripts, as an in-memory plugin: no .so, the same calls.
#pragma once

#include "delivery/filter_stage.hpp"
#include "plugins/instance.hpp"

#include <nfbus/abi.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host::test {

// Adds a text to an event.
inline void annotate(nfbus_filter_call& call, std::uint32_t index, std::string_view name, std::string_view value) {
  const nfbus_field field = {.name = text(name), .value = text(value), .type = NFBUS_VALUE_TEXT, .reserved = 0};
  EXPECT_EQ(call.annotate(call.context, index, &field), NFBUS_OK);
}

// What a filter does. Functions that are empty are null in its nfbus_filter; but for apply, which keeps everything.
struct FilterScript {
  std::function<std::uint32_t(nfbus_filter_call& call)> apply = {};
  std::function<std::uint32_t()> tick = {};
  std::function<std::uint32_t(const nfbus_events& messages)> hear = {};
  std::function<std::uint32_t()> finish = {};
  std::uint32_t tick_ms = 0;
  std::uint32_t event_kinds = 0;
  std::vector<std::string> listens = {};
};

// The filter's plugin, kept to the end of the program as a loaded one is.
struct ScriptedFilter {
  explicit ScriptedFilter(FilterScript script_) : script(std::move(script_)) {
    filter.struct_size = sizeof filter;
    filter.create = [](const nfbus_host* given, const nfbus_options*, void** instance, nfbus_error*) -> std::uint32_t {
      *instance = current();
      current()->host = given;
      for (const std::string& topic : current()->script.listens) {
        if (given->listen(given->context, {topic.data(), topic.size()}) != NFBUS_OK) return NFBUS_FATAL;
      }
      return NFBUS_OK;
    };
    filter.apply = [](void* self, nfbus_filter_call* call, nfbus_error*) -> std::uint32_t {
      const FilterScript& does = static_cast<ScriptedFilter*>(self)->script;
      return does.apply ? does.apply(*call) : NFBUS_OK;
    };
    filter.destroy = [](void*) {};
    if (script.tick) {
      filter.tick = [](void* self, nfbus_error*) { return static_cast<ScriptedFilter*>(self)->script.tick(); };
    }
    if (script.finish) {
      filter.finish = [](void* self, nfbus_error*) { return static_cast<ScriptedFilter*>(self)->script.finish(); };
    }
    if (script.hear) {
      filter.hear = [](void* self, const nfbus_events* messages, nfbus_error*) {
        return static_cast<ScriptedFilter*>(self)->script.hear(*messages);
      };
    }
    entry.struct_size = sizeof entry;
    entry.plugin_kind = NFBUS_PLUGIN_FILTER;
    entry.event_kinds = script.event_kinds;
    shape.struct_size = sizeof shape;
    shape.tick_ms = script.tick_ms;
    entry.shape = &shape;
    entry.name = NFBUS_TEXT("scripted");
    entry.filter = &filter;
  }

  static ScriptedFilter*& current() {
    static ScriptedFilter* filter = nullptr;
    return filter;
  }

  const FilterScript script;
  const nfbus_host* host = nullptr;
  nfbus_shape shape{};
  nfbus_filter filter{};
  nfbus_plugin entry{};
};

inline Result<std::unique_ptr<FilterInstance>> try_filter(FilterScript script, const SharedServices& services) {
  static std::vector<std::unique_ptr<ScriptedFilter>> filters;
  filters.push_back(std::make_unique<ScriptedFilter>(std::move(script)));
  ScriptedFilter::current() = filters.back().get();
  return FilterInstance::create({.entry = &filters.back()->entry, .file = "test.so", .library = nullptr}, "test", "{}",
                                services);
}

inline std::unique_ptr<FilterInstance> make_filter(FilterScript script, const SharedServices& services) {
  auto made = try_filter(std::move(script), services);
  EXPECT_TRUE(made.ok()) << made.error().text;
  EXPECT_TRUE(made.value()->open().ok());
  return std::move(made).value();
}

inline std::shared_ptr<FilterStage> make_stage(FilterScript script, const SharedServices& services) {
  return std::make_shared<FilterStage>(make_filter(std::move(script), services));
}

// The host that the newest filter was created with.
inline const nfbus_host* newest_filter_host() { return ScriptedFilter::current()->host; }

}  // namespace nfbus::host::test
