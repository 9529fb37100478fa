#include "fixture.hpp"

#include <span>

namespace {
// Publishes what it gets once more: under echo:TOPIC, or under the topic that is configured.
struct Echoes : fixture::Sink {
  Echoes(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options), host_(host), topic_(fixture::string(options, "/topic")) {}
  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* /*error*/) const {
    called();
    for (const nfbus_event* event : std::span(events.items, events.count)) {
      const std::string topic = topic_.empty() ? "echo:" + std::string(event->topic.data, event->topic.size) : topic_;
      const nfbus_text message = {reinterpret_cast<const char*>(event->payload.data), event->payload.size};
      if (host_.publish(host_.context, fixture::text(topic), message) == NFBUS_OK) delivered(1);
    }
    return NFBUS_OK;
  }

 private:
  const nfbus_host& host_;
  const std::string topic_;
};
}  // namespace

FIXTURE_SINK(Echoes, "echoes", "publishes what it gets", R"(,"topic":{"type":"string"})");
