// @NAME@: publishes a message each second: how many there were before it.
#include <nfbus/source.hpp>

#include <cstdint>
#include <string>

namespace {

class Source {
 public:
  Source(nfbus::Host /*host*/, const nfbus::Options& options)
      : topic_(options.text("topic")), interval_ms_(static_cast<std::uint32_t>(options.integer("interval_ms"))) {}

  void run(nfbus::Feed feed) const {
    for (std::uint64_t count = 0;; ++count) {
      const auto taken = feed.message(topic_, "{\"count\":" + std::to_string(count) + "}");
      if (taken.stopping() || feed.wait_for_stop(interval_ms_)) return;
    }
  }

 private:
  std::string topic_;
  std::uint32_t interval_ms_;
};

}  // namespace

NFBUS_SOURCE(Source, "@NAME@",
             {.summary = "publishes a message each second",
              .version = "0.1",
              .schema = R"({"type": "object", "properties":
                           {"topic": {"type": "string", "minLength": 1, "default": "@NAME@"},
                            "interval_ms": {"type": "integer", "minimum": 1, "maximum": 3600000, "default": 1000}}})",
              .event_kinds = NFBUS_EVENT_MESSAGE})
