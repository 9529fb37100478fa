// Keeps some packets of many: one in N, or the first of each flow.
#include <nfbus/filter.hpp>
#include <nfbus/key_fields.hpp>
#include <nfbus/lru_map.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "mode": {"type": "string", "enum": ["rate", "flow"], "default": "rate",
             "description": "keep one packet in `rate`, or the first of each flow"},
    "rate": {"type": "integer", "minimum": 1, "maximum": 1000000000, "default": 100,
             "description": "mode rate: one in so many is kept, the first of them"},
    "key": {"type": "array", "default": [],
            "items": {"type": "string",
                      "enum": ["src", "dst", "prefix", "topic", "in", "out", "proto", "sport", "dport"]},
            "description": "mode rate: counted for each value of these fields; none: counted over all packets"},
    "flow_timeout_s": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 60, "x-unit": "s",
                       "description": "mode flow: a flow without packets for so long is new when it comes again"},
    "max_entries": {"type": "integer", "minimum": 1, "maximum": 16777216, "default": 65536,
                    "description": "keys or flows remembered at most; the least recent are forgotten"}
  }
})";

// Keeps one in `rate`, counted for each key.
class OneIn {
 public:
  explicit OneIn(const nfbus::Options& options)
      : rate_(static_cast<std::uint64_t>(options.integer("rate"))),
        fields_(options.list("key")),
        counts_(static_cast<std::size_t>(options.integer("max_entries"))) {}

  bool keeps(nfbus::Event event, std::uint64_t& forgotten) {
    fields_.pack(event, key_);
    std::uint64_t* count = counts_.use(key_);
    if (count == nullptr) {
      if (counts_.full()) ++forgotten;
      count = &counts_.insert(key_, 0);
    }
    return (*count)++ % rate_ == 0;
  }

 private:
  const std::uint64_t rate_;
  const nfbus::KeyFields fields_;
  nfbus::LruMap<std::string, std::uint64_t> counts_;
  std::string key_;  // scratch
};

// Keeps the first packet of each flow: what two ends exchange, whichever of them sends. Without ports (ICMP, later
// fragments) that is all of one protocol between two addresses. A packet without addresses belongs to no flow and is
// kept.
class FirstOfFlow {
 public:
  explicit FirstOfFlow(const nfbus::Options& options)
      : timeout_ns_(options.integer("flow_timeout_s") * kNsPerSecond),
        last_seen_ns_(static_cast<std::size_t>(options.integer("max_entries"))) {}

  bool keeps(nfbus::Event event, std::uint64_t& forgotten) {
    if (event.source_bytes().empty()) return true;
    make_key(event);
    std::int64_t* const last_ns = last_seen_ns_.use(key_);
    if (last_ns == nullptr) {
      if (last_seen_ns_.full()) ++forgotten;
      last_seen_ns_.insert(key_, event.time_ns());
      return true;
    }
    // A clock that was set back makes no flow old.
    return event.time_ns() - std::exchange(*last_ns, event.time_ns()) > timeout_ns_;
  }

 private:
  void make_key(nfbus::Event event) {
    end(event.source_bytes(), event.source_port().value_or(0), one_);
    end(event.destination_bytes(), event.destination_port().value_or(0), other_);
    const std::uint16_t ether_type = event.raw()->ether_type;
    key_ = {static_cast<char>(ether_type >> 8U), static_cast<char>(ether_type & 0xffU),
            static_cast<char>(event.protocol().value_or(0))};
    key_ += one_ < other_ ? one_ : other_;
    key_ += one_ < other_ ? other_ : one_;
  }
  static void end(std::span<const std::uint8_t> address, std::uint16_t port, std::string& out) {
    out.assign(reinterpret_cast<const char*>(address.data()), address.size());
    out += static_cast<char>(port >> 8U);
    out += static_cast<char>(port & 0xffU);
  }

  const std::int64_t timeout_ns_;
  nfbus::LruMap<std::string, std::int64_t> last_seen_ns_;
  std::string one_, other_, key_;  // scratch
};

using Way = std::variant<OneIn, FirstOfFlow>;

Way choose(const nfbus::Options& options) {
  if (options.text("mode") == "flow") return FirstOfFlow(options);
  return OneIn(options);
}

class Sample {
 public:
  Sample(nfbus::Host host, const nfbus::Options& options)
      : kept_(host.counter("kept")),
        dropped_(host.counter("dropped")),
        forgotten_(host.counter("forgotten")),
        way_(choose(options)) {}

  void apply(nfbus::Candidates candidates) {
    std::uint64_t kept = 0;
    std::uint64_t forgotten = 0;
    std::visit(
        [&](auto& way) {
          for (const nfbus::Candidate candidate : candidates) {
            if (way.keeps(candidate.event(), forgotten)) {
              ++kept;
            } else {
              candidate.drop();
            }
          }
        },
        way_);
    kept_.add(kept);
    dropped_.add(candidates.size() - kept);
    if (forgotten != 0) forgotten_.add(forgotten);
  }

 private:
  const nfbus::Counter kept_;
  const nfbus::Counter dropped_;
  const nfbus::Counter forgotten_;
  Way way_;
};

}  // namespace

NFBUS_FILTER(Sample, "sample",
             {.summary = "keeps one packet in N, or the first of each flow",
              .version = "1.0",
              .schema = kSchema,
              .annotates = nfbus::kAnnotatesNothing})
