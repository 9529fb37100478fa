// Packets as capture files for tcpdump and Wireshark.
#include "fifo.hpp"
#include "files.hpp"
#include "outlet.hpp"
#include "trigger.hpp"

#include <nfbus/sink.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace pcapsink;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "required": ["file"],
  "properties": {
    "file": {"type": "string", "pattern": "^[^\n]+$", "x-output": true,
             "x-strftime": ["rotate_bytes", "rotate_age_s", "rotate_packets"],
             "description": "where packets go; with rotation the pattern of the files' names, for strftime"},
    "format": {"type": "string", "enum": ["pcap", "pcapng"], "default": "pcap", "description": "pcapng knows interfaces, losses and comments"},
    "link": {"type": "string", "enum": ["raw", "nflog", "ethernet"], "default": "raw",
             "description": "raw: IP packets; nflog: all that the kernel said of them; ethernet: where there is such a header"},
    "headerless": {"type": "string", "enum": ["skip", "raw"], "default": "skip",
                   "description": "with ethernet: packets without such a header are left out, or (pcapng only) written as raw"},
    "precision": {"type": "string", "enum": ["ns", "us"], "default": "ns", "description": "of times"},
    "flush_ms": {"type": "integer", "minimum": 0, "maximum": 10000, "default": 20, "x-unit": "ms",
                 "description": "a packet may wait so long for others to be written with"},
    "rotate_bytes": {"type": "integer", "minimum": 0, "default": 0, "x-unit": "bytes",
                     "description": "begin a new file when this one would grow larger; 0: never"},
    "rotate_age_s": {"type": "integer", "minimum": 0, "maximum": 315360000, "default": 0, "x-unit": "s",
                     "description": "begin a new file when this one is older; 0: never"},
    "rotate_packets": {"type": "integer", "minimum": 0, "default": 0, "x-unit": "packets",
                       "description": "begin a new file when this one has so many; 0: never"},
    "max_files": {"type": "integer", "minimum": 0, "default": 0,
                  "description": "with rotation: so many complete files stay; 0: all"},
    "max_total_bytes": {"type": "integer", "minimum": 0, "default": 0, "x-unit": "bytes",
                        "description": "with rotation: the oldest files go when all are larger; 0: none goes"},
    "min_free_bytes": {"type": "integer", "minimum": 0, "default": 0, "x-unit": "bytes",
                       "description": "packets wait in the queue while less is free on the disk"},
    "compress": {"type": "string", "enum": ["none", "gzip", "zstd"], "default": "none",
                 "description": "with rotation: complete files"},
    "fifo": {"type": "boolean", "default": false,
             "description": "file is a FIFO, made if need be: each reader sees what comes from then on"},
    "when": {"type": ["object", "array"], "x-match": true, "items": {"type": "object", "x-match": true},
             "description": "write only packets that this match, or one of these, is about, with what went before and came after between the same two addresses"},
    "before": {"type": "integer", "x-needs": ["when"], "minimum": 0, "maximum": 100000, "default": 20, "x-unit": "packets",
               "description": "with when: so many packets before"},
    "after": {"type": "integer", "x-needs": ["when"], "minimum": 0, "maximum": 1000000000, "default": 50, "x-unit": "packets",
              "description": "with when: so many packets after"},
    "context_bytes": {"type": "integer", "x-needs": ["when"], "minimum": 65536, "maximum": 68719476736, "default": 16777216, "x-unit": "bytes",
                      "description": "with when: memory for packets that may be asked for"},
    "fsync": {"type": "boolean", "default": false, "description": "complete files are brought to the disk at once"}
  }
})";

// At full load the kernel's datagrams bring some 700 small packets: each is one write, and still in the cache then.
constexpr std::uint32_t kBatchEvents = 1024;
constexpr std::uint64_t kBatchBytes = 1U << 20U;

std::uint64_t size_option(const nfbus::Options& options, std::string_view key) {
  return static_cast<std::uint64_t>(options.integer(key));
}

Encoding encoding_of(const nfbus::Options& options) {
  Encoding out;
  out.format = options.text("format") == "pcapng" ? Format::pcapng : Format::pcap;
  out.precision = options.text("precision") == "us" ? Precision::microseconds : Precision::nanoseconds;
  const std::string link = options.text("link");
  if (link == "nflog") out.link = Link::nflog;
  if (link == "ethernet") out.link = Link::ethernet;
  out.raw_without_header = options.text("headerless") == "raw";
  if (out.raw_without_header && out.format == Format::pcap) {
    throw std::invalid_argument(R"(headerless = "raw" needs format = "pcapng": a pcap file has one link type for all)");
  }
  if (out.raw_without_header && out.link != Link::ethernet) {
    throw std::invalid_argument(R"(headerless = "raw" needs link = "ethernet")");
  }
  return out;
}

Compression compression_of(const std::string& name) {
  if (name == "gzip") return Compression::gzip;
  return name == "zstd" ? Compression::zstd : Compression::none;
}

FileSettings settings_of(const nfbus::Options& options) {
  FileSettings out{
      .path = options.text("file"),
      .encoding = encoding_of(options),
      .rotation = {.size_bytes = size_option(options, "rotate_bytes"),
                   .age_s = options.integer("rotate_age_s"),
                   .packets = size_option(options, "rotate_packets")},
      .archive = {.files = size_option(options, "max_files"), .total_bytes = size_option(options, "max_total_bytes")},
      .compression = compression_of(options.text("compress")),
      .min_free_bytes = size_option(options, "min_free_bytes"),
      .sync = options.boolean("fsync")};
  if (out.path.find('\0') != std::string::npos || out.path.ends_with('/')) {
    throw std::invalid_argument("file: it must end with the name of a file, and have no NUL in it");
  }
  if (!Rotation(out.rotation).enabled() &&
      (out.archive.files != 0 || out.archive.total_bytes != 0 || out.compression != Compression::none)) {
    throw std::invalid_argument(
        "max_files, max_total_bytes and compress are for complete files: set rotate_bytes, rotate_age_s or "
        "rotate_packets");
  }
  return out;
}

std::unique_ptr<Outlet> make_outlet(nfbus::Host host, const nfbus::Options& options) {
  FileSettings files = settings_of(options);
  if (!options.boolean("fifo")) return std::make_unique<Files>(host, std::move(files));
  if (Rotation(files.rotation).enabled() || files.min_free_bytes != 0 || files.sync) {
    throw std::invalid_argument("a FIFO knows no rotate_..., min_free_bytes and fsync: leave them out, or fifo");
  }
  return std::make_unique<Fifo>(host, std::move(files.path), files.encoding);
}

std::optional<Trigger> make_trigger(nfbus::Host host, const nfbus::Options& options) {
  if (!options.has("when")) return std::nullopt;
  const std::string when = options.json("when");
  if (when == "[]") throw std::invalid_argument("when = [] holds for no packet: give it a table, or leave it out");
  return std::optional<Trigger>(std::in_place, host, host.match(when),
                                TriggerSettings{.before = size_option(options, "before"),
                                                .after = size_option(options, "after"),
                                                .context_bytes = size_option(options, "context_bytes")});
}

// Refused events are rejected, but for those of the past: their batches are settled.
class Reject final : public Refusals {
 public:
  Reject(nfbus::Events events, const Trigger* trigger, const nfbus::Counter& past)
      : events_(events), trigger_(trigger), past_(past) {}
  void refused(std::size_t index, const char* reason) override {
    const std::size_t place = trigger_ == nullptr ? index : trigger_->place(index);
    if (place == Trigger::kNowhere) return past_.add();
    events_.reject(static_cast<std::uint32_t>(place), reason);
  }

 private:
  const nfbus::Events events_;
  const Trigger* const trigger_;  // NULL: there is none
  const nfbus::Counter past_;
};

class Pcap {
 public:
  Pcap(nfbus::Host host, const nfbus::Options& options)
      : flush_ms_(static_cast<std::uint32_t>(options.integer("flush_ms"))),
        outlet_(make_outlet(host, options)),
        trigger_(make_trigger(host, options)),
        refused_past_(trigger_ ? host.counter("context_refused") : nfbus::Counter(host.raw(), 0)) {}

  void open(nfbus::Shape& shape) {
    shape.batch_age_ms = flush_ms_;
    outlet_->open(shape);
  }

  nfbus::Delivery write(nfbus::Events events) {
    if (trigger_) trigger_->judge(events.raw());
    Reject refusals(events, trigger_ ? &*trigger_ : nullptr, refused_past_);
    const Outcome outcome = outlet_->write(trigger_ ? trigger_->chosen() : events.raw(), refusals);
    const std::size_t done = trigger_ ? trigger_->settle(outcome.done) : outcome.done;
    if (outcome.reason.empty()) return nfbus::Delivery::ok();
    return nfbus::Delivery::retry(static_cast<std::uint32_t>(done), outcome.reason, outcome.retry_after_ms);
  }

  void reopen() { outlet_->look_after(); }
  void tick() { outlet_->look_after(); }
  void close() {
    outlet_->close();
    if (trigger_) trigger_->close();
  }

 private:
  const std::uint32_t flush_ms_;
  const std::unique_ptr<Outlet> outlet_;
  std::optional<Trigger> trigger_;  // when only some packets are written
  const nfbus::Counter refused_past_;
};

}  // namespace

NFBUS_SINK(Pcap, "pcap",
           {.summary = "writes packets as capture files for tcpdump and Wireshark",
            .version = "1.0",
            .schema = kSchema,
            .shape = {.batch_events = kBatchEvents, .batch_bytes = kBatchBytes}})
