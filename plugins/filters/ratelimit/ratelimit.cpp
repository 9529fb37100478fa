// Lets so many events a second through for each key, and says from time to time what it dropped.
#include "buckets.hpp"
#include "summary.hpp"

#include <nfbus/filter.hpp>
#include <nfbus/key_fields.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "key": {"type": "array", "default": ["src", "prefix"],
            "items": {"type": "string",
                      "enum": ["src", "dst", "prefix", "topic", "in", "out", "proto", "sport", "dport"]},
            "description": "each value of these fields has a limit of its own; none: one limit for all"},
    "rate": {"type": "number", "minimum": 0.001, "maximum": 1000000000, "default": 10, "x-unit": "events/s",
             "description": "events that pass in the long run"},
    "burst": {"type": "number", "minimum": 1, "maximum": 1000000000, "default": 50, "x-unit": "events",
              "description": "events that pass at once after a rest"},
    "max_keys": {"type": "integer", "minimum": 1, "maximum": 16777216, "default": 65536,
                 "description": "keys remembered at most; the least recent are forgotten"},
    "summary_s": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 10, "x-unit": "s",
                  "description": "a message says so often what was dropped, if anything was"},
    "topic": {"type": "string", "default": "",
              "description": "of that message; empty: \"ratelimit:\" and the filter's name"}
  }
})";

class RateLimit {
 public:
  RateLimit(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        passed_(host.counter("passed")),
        dropped_(host.counter("dropped")),
        forgotten_(host.counter("forgotten")),
        summaries_(host.counter("summaries")),
        interval_(options.integer("summary_s")),
        topic_(topic_of(host, options)),
        fields_(options.list("key")),
        buckets_({.rate_per_s = options.number("rate"),
                  .burst = options.number("burst"),
                  .max_keys = static_cast<std::size_t>(options.integer("max_keys"))}) {}

  void apply(nfbus::Candidates candidates) {
    std::uint64_t dropped = 0;
    const std::uint64_t forgotten_before = buckets_.forgotten();
    for (const nfbus::Candidate candidate : candidates) {
      fields_.pack(candidate.event(), key_);
      if (buckets_.admits(key_, candidate.event().time_ns())) continue;
      candidate.drop();
      ++dropped;
    }
    passed_.add(candidates.size() - dropped);
    dropped_.add(dropped);
    if (const std::uint64_t forgotten = buckets_.forgotten() - forgotten_before; forgotten != 0) {
      forgotten_.add(forgotten);
    }
  }

  void tick() {
    const auto now = Clock::now();
    if (now - summarized_ < interval_) return;
    summarized_ = now;
    summarize();
  }

  void finish() { summarize(); }

 private:
  using Clock = std::chrono::steady_clock;

  static std::string topic_of(nfbus::Host host, const nfbus::Options& options) {
    std::string topic = options.text("topic");
    return topic.empty() ? "ratelimit:" + std::string(host.instance_name()) : topic;
  }

  // What cannot be said stays for the next time.
  void summarize() {
    if (buckets_.dropped() == 0) return;
    if (!host_.publish(topic_, ratelimit::summary(host_.instance_name(), buckets_, fields_))) {
      throw std::runtime_error("the host lets no plugin publish under the topic \"" + topic_ + "\": change `topic`");
    }
    summaries_.add();
    buckets_.begin_round();
  }

  const nfbus::Host host_;
  const nfbus::Counter passed_;
  const nfbus::Counter dropped_;
  const nfbus::Counter forgotten_;
  const nfbus::Counter summaries_;
  const std::chrono::seconds interval_;
  const std::string topic_;
  const nfbus::KeyFields fields_;
  ratelimit::Buckets buckets_;
  Clock::time_point summarized_ = Clock::now();
  std::string key_;  // scratch
};

}  // namespace

NFBUS_FILTER(RateLimit, "ratelimit",
             {.summary = "limits events per second and key, and tells what it dropped",
              .version = "1.0",
              .schema = kSchema,
              .shape = {.tick_ms = 500},
              .annotates = nfbus::kAnnotatesNothing})
