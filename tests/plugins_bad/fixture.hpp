// A plugin without the SDK's C++ layer, and so without its barrier: what these throw reaches the host.
//
// A sink is a class made from (host, options) with write(events, report, error); a filter has apply(call, error).
#pragma once

#include <nfbus/abi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace fixture {

inline nfbus_text text(std::string_view view) { return {view.data(), view.size()}; }

inline std::int64_t integer(const nfbus_options& options, std::string_view pointer) {
  nfbus_value value{};
  value.struct_size = sizeof value;
  return options.get(options.context, text(pointer), &value) == NFBUS_OK ? value.integer : 0;
}

inline std::string string(const nfbus_options& options, std::string_view pointer) {
  nfbus_value value{};
  value.struct_size = sizeof value;
  if (options.get(options.context, text(pointer), &value) != NFBUS_OK) return {};
  return {value.text.data, value.text.size};
}

inline std::uint32_t fail(nfbus_error* error, std::string_view why, std::uint32_t status = NFBUS_FATAL) {
  error->size = static_cast<std::uint32_t>(why.copy(error->text, sizeof error->text));
  return status;
}

// What all sinks here share: their batch shape is an option, and they count what they delivered in "events" and the
// calls of write() in "calls".
class Sink {
 public:
  Sink(const nfbus_host& host, const nfbus_options& options)
      : host_(host),
        events_(host.counter(host.context, text("events"))),
        calls_(host.counter(host.context, text("calls"))),
        batch_events_(integer(options, "/batch_events")),
        batch_age_ms_(integer(options, "/batch_age_ms")) {}

  std::uint32_t open(nfbus_shape& shape, nfbus_error* /*error*/) const {
    if (batch_events_ != 0) shape.batch_events = static_cast<std::uint32_t>(batch_events_);
    if (batch_age_ms_ != 0) shape.batch_age_ms = static_cast<std::uint32_t>(batch_age_ms_);
    return NFBUS_OK;
  }

 protected:
  [[nodiscard]] const nfbus_host& host() const noexcept { return host_; }
  void called() const { host_.counter_add(host_.context, calls_, 1); }
  void delivered(std::uint32_t count) const { host_.counter_add(host_.context, events_, count); }

 private:
  const nfbus_host& host_;
  const std::uint32_t events_;
  const std::uint32_t calls_;
  const std::int64_t batch_events_;
  const std::int64_t batch_age_ms_;
};

template <typename Class>
std::uint32_t create(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* /*error*/) {
  *instance = new Class(*host, *options);
  return NFBUS_OK;
}

template <typename Class>
void destroy(void* instance) {
  delete static_cast<Class*>(instance);
}

template <typename Class>
constexpr nfbus_sink sink_of() {
  nfbus_sink sink{};
  sink.struct_size = sizeof sink;
  sink.create = create<Class>;
  sink.open = [](void* instance, nfbus_shape* shape, nfbus_error* error) {
    return static_cast<Class*>(instance)->open(*shape, error);
  };
  sink.write = [](void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error) {
    return static_cast<Class*>(instance)->write(*events, *report, error);
  };
  if constexpr (requires(Class & made, nfbus_error * error) { made.tick(error); }) {
    sink.tick = [](void* instance, nfbus_error* error) { return static_cast<Class*>(instance)->tick(error); };
  }
  sink.close = [](void*) {};
  sink.destroy = destroy<Class>;
  return sink;
}

template <typename Class>
constexpr nfbus_filter filter_of() {
  nfbus_filter filter{};
  filter.struct_size = sizeof filter;
  filter.create = create<Class>;
  filter.apply = [](void* instance, nfbus_filter_call* call, nfbus_error* error) {
    return static_cast<Class*>(instance)->apply(*call, error);
  };
  filter.destroy = destroy<Class>;
  return filter;
}

constexpr nfbus_plugin plugin_of(std::uint32_t kind, const nfbus_sink* sink, const nfbus_filter* filter,
                                 std::string_view name, std::string_view summary, std::string_view schema) {
  nfbus_plugin plugin{};
  plugin.struct_size = sizeof plugin;
  plugin.plugin_kind = kind;
  plugin.event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
  plugin.name = {name.data(), name.size()};
  plugin.version = NFBUS_TEXT("1.0");
  plugin.summary = {summary.data(), summary.size()};
  plugin.schema = {schema.data(), schema.size()};
  plugin.sink = sink;
  plugin.filter = filter;
  return plugin;
}

// A library of one plugin; `pointer` points to it.
constexpr nfbus_library library_of(const nfbus_plugin* const* pointer) {
  nfbus_library library{};
  library.abi_major = NFBUS_ABI_MAJOR;
  library.abi_minor = NFBUS_ABI_MINOR;
  library.struct_size = sizeof library;
  library.plugin_count = 1;
  library.plugins = pointer;
  return library;
}

}  // namespace fixture

// Exports kPlugin.
#define FIXTURE_LIBRARY                                         \
  static constexpr const nfbus_plugin* kPointer = &kPlugin;     \
  extern "C" NFBUS_EXPORT const nfbus_library nfbus_library_v1; \
  constexpr nfbus_library nfbus_library_v1 = fixture::library_of(&kPointer)

// properties: JSON, a list of "key":{...}, begun by a comma.
#define FIXTURE_SINK(Class, name, summary, properties)                                                                   \
  static constexpr nfbus_sink kSink = fixture::sink_of<Class>();                                                         \
  static constexpr nfbus_plugin kPlugin = fixture::plugin_of(                                                            \
      NFBUS_PLUGIN_SINK, &kSink, nullptr, name, summary,                                                                 \
      R"({"type":"object","properties":{"batch_events":{"type":"integer"},"batch_age_ms":{"type":"integer"})" properties \
      "}}");                                                                                                             \
  FIXTURE_LIBRARY

#define FIXTURE_FILTER(Class, name, summary, properties)                                                            \
  static constexpr nfbus_filter kFilter = fixture::filter_of<Class>();                                              \
  static constexpr nfbus_plugin kPlugin = fixture::plugin_of(NFBUS_PLUGIN_FILTER, nullptr, &kFilter, name, summary, \
                                                             R"({"type":"object","properties":{)" properties "}}"); \
  FIXTURE_LIBRARY
