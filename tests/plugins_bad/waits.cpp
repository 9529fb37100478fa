// Three plugins that wait in the function that `in` names until the file `until` is there: a sink, a filter, a source.
// `until`.began is there as soon as they do.
#include "fixture.hpp"

#include <unistd.h>

#include <fstream>
#include <iterator>

namespace {

class Waits {
 public:
  Waits(const nfbus_host& /*host*/, const nfbus_options& options)
      : in_(fixture::string(options, "/in")), until_(fixture::string(options, "/until")) {
    in("create");
  }
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;
  ~Waits() { in("destroy"); }

  void in(std::string_view function) const {
    if (in_ != function) return;
    std::ofstream(until_ + ".began").flush();
    constexpr useconds_t kPollMicroseconds = 5000;
    while (::access(until_.c_str(), F_OK) != 0) ::usleep(kPollMicroseconds);
  }

 private:
  const std::string in_;
  const std::string until_;
};

std::uint32_t wait_in(void* instance, std::string_view function) {
  static_cast<Waits*>(instance)->in(function);
  return NFBUS_OK;
}

constexpr nfbus_sink make_sink() {
  nfbus_sink sink{};
  sink.struct_size = sizeof sink;
  sink.create = fixture::create<Waits>;
  sink.open = [](void* of, nfbus_shape* shape, nfbus_error*) {
    shape->tick_ms = 10;
    return wait_in(of, "open");
  };
  sink.write = [](void* of, const nfbus_events*, nfbus_report*, nfbus_error*) { return wait_in(of, "write"); };
  sink.reopen = [](void* of, nfbus_error*) { return wait_in(of, "reopen"); };
  sink.flush = [](void* of, nfbus_error*) { return wait_in(of, "flush"); };
  sink.tick = [](void* of, nfbus_error*) { return wait_in(of, "tick"); };
  sink.close = [](void* of) { wait_in(of, "close"); };
  sink.destroy = fixture::destroy<Waits>;
  return sink;
}

constexpr nfbus_filter make_filter() {
  nfbus_filter filter{};
  filter.struct_size = sizeof filter;
  filter.create = fixture::create<Waits>;
  filter.open = [](void* of, nfbus_shape* shape, nfbus_error*) {
    shape->tick_ms = 10;
    return wait_in(of, "open");
  };
  filter.apply = [](void* of, nfbus_filter_call*, nfbus_error*) { return wait_in(of, "apply"); };
  filter.tick = [](void* of, nfbus_error*) { return wait_in(of, "tick"); };
  filter.finish = [](void* of, nfbus_error*) { return wait_in(of, "finish"); };
  filter.destroy = fixture::destroy<Waits>;
  return filter;
}

constexpr nfbus_source make_source() {
  nfbus_source source{};
  source.struct_size = sizeof source;
  source.create = fixture::create<Waits>;
  source.open = [](void* of, nfbus_error*) { return wait_in(of, "open"); };
  source.run = [](void* of, const nfbus_feed* feed, nfbus_error*) {
    constexpr std::uint32_t kLookMs = 100;
    while (feed->wait(feed->context, kLookMs) != NFBUS_STOPPING) {
    }
    return wait_in(of, "run");
  };
  source.stop = [](void* of) { wait_in(of, "stop"); };
  source.close = [](void* of) { wait_in(of, "close"); };
  source.destroy = fixture::destroy<Waits>;
  return source;
}

constexpr nfbus_sink kSink = make_sink();
constexpr nfbus_filter kFilter = make_filter();
constexpr nfbus_source kSource = make_source();

constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"in":{"type":"string"},"until":{"type":"string"}}})";
constexpr nfbus_plugin kSinkPlugin =
    fixture::plugin_of(NFBUS_PLUGIN_SINK, &kSink, nullptr, "waits", "a sink that waits in a function", kSchema);
constexpr nfbus_plugin kFilterPlugin = fixture::plugin_of(NFBUS_PLUGIN_FILTER, nullptr, &kFilter, "waits_filter",
                                                          "a filter that waits in a function", kSchema);
constexpr nfbus_plugin make_source_plugin() {
  nfbus_plugin plugin = fixture::plugin_of(NFBUS_PLUGIN_SOURCE, nullptr, nullptr, "waits_source",
                                           "a source that waits in a function", kSchema);
  plugin.source = &kSource;
  return plugin;
}
constexpr nfbus_plugin kSourcePlugin = make_source_plugin();
constexpr const nfbus_plugin* kPlugins[] = {&kSinkPlugin, &kFilterPlugin, &kSourcePlugin};

constexpr nfbus_library make_library() {
  nfbus_library library = fixture::library_of(kPlugins);
  library.plugin_count = std::size(kPlugins);
  return library;
}

}  // namespace

extern "C" NFBUS_EXPORT const nfbus_library nfbus_library_v1;
constexpr nfbus_library nfbus_library_v1 = make_library();
