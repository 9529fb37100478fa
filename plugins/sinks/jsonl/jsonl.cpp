// Events as lines of JSON, to a file, a FIFO or standard output.
#include "../../lib/clock.hpp"
#include "../../lib/lasting_warning.hpp"
#include "../../lib/output.hpp"
#include "rotation.hpp"
#include "target.hpp"

#include <nfbus/sink.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using jsonl::Progress;
using jsonl::Rotation;
using jsonl::Target;
using nfbus::Delivery;
using nfbus::Result;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "required": ["file"],
  "properties": {
    "file": {"type": "string", "pattern": "^[^\n]+$", "x-output": true, "x-stdout": true,
             "description": "a file, made if need be; a FIFO; or - for standard output"},
    "format": {"type": "string", "enum": ["ulogd", "packet"], "default": "ulogd",
               "description": "the JSON of a packet: ulogd2's flat keys, or an object for each layer as SPR has it"},
    "payload": {"type": "string", "enum": ["none", "full"], "default": "none",
                "description": "with format = \"packet\": full adds the bytes of each layer in base64"},
    "rotate_bytes": {"type": "integer", "minimum": 0, "default": 0, "x-unit": "bytes",
                     "description": "begin a new file when this one would grow larger; 0: never"},
    "rotate_age_s": {"type": "integer", "minimum": 0, "maximum": 315360000, "default": 0, "x-unit": "s",
                     "description": "begin a new file when this one is older; 0: never"},
    "rotate_keep": {"type": "integer", "x-needs": ["rotate_bytes", "rotate_age_s"], "minimum": 1, "maximum": 10000, "default": 5,
                    "description": "how many old files stay: FILE.1 is the newest"}
  }
})";

// Looks after removed and replaced files, and after age; a FIFO's reader that left must be seen sooner.
constexpr std::uint32_t kFileTickMs = 1000;
constexpr std::uint32_t kFifoTickMs = 100;
constexpr std::uint32_t kRetrySlowReaderMs = 5;
constexpr std::uint32_t kRetryNoReaderMs = 100;

std::int64_t now_ns() noexcept { return output::clock_ns(CLOCK_REALTIME_COARSE); }

// The host's name of the format. Throws std::invalid_argument.
std::string format_of(const nfbus::Options& options) {
  std::string format = options.text("format");
  if (options.text("payload") == "none") return format;
  if (format != "packet") {
    throw std::invalid_argument(R"(payload = "full" needs format = "packet": )" + format + " shows no payload");
  }
  return "packet_full";
}

jsonl::RotationLimits limits_of(const nfbus::Options& options) {
  return {.size_bytes = static_cast<std::uint64_t>(options.integer("rotate_bytes")),
          .age_s = options.integer("rotate_age_s"),
          .keep = static_cast<unsigned>(options.integer("rotate_keep"))};
}

class JsonLines {
 public:
  JsonLines(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        format_(host.format(format_of(options))),
        target_(options.text("file")),
        rotation_(limits_of(options)),
        warning_(host),
        rotation_warning_(host) {}

  // A target that cannot be opened is no reason not to start: lines wait in the queue until it can.
  void open(nfbus::Shape& shape) {
    look_after();
    if (target_.kind() == Target::Kind::standard_output) return;
    shape.tick_ms = target_.kind() == Target::Kind::fifo ? kFifoTickMs : kFileTickMs;
  }

  Delivery write(nfbus::Events events) {
    target_.close_if_removed();
    if (const Result<void> opened = ready(); !opened.ok()) return unavailable(0, opened.error().text);
    gather(events);
    std::size_t at = 0;  // bytes of text_ that are out
    if (!cut_line_.empty()) {
      if (const int error = finish_cut_line(); error != 0) return stopped(events, 0, error);
      // As a rule the first event is the one that was cut; but its queue may have dropped it.
      if (text_.starts_with(cut_line_)) at = cut_line_.size();
      cut_line_.clear();
    }
    const std::int64_t now = rotation_.enabled() ? now_ns() : 0;
    while (at < text_.size()) {
      const std::string_view rest = std::string_view(text_).substr(at);
      const std::size_t fits = rotates() ? rotation_.fit(rest, target_.size_bytes(), now) : rest.size();
      if (fits == 0) {
        rotate(now);
        continue;
      }
      const Progress progress = target_.write(rest.substr(0, fits));
      at += progress.size_bytes;
      if (progress.error != 0) return stopped(events, at, progress.error);
    }
    reject_unknown(events, events.size());
    if (warning_.over()) host_.info("writes to " + target_.path() + " again");
    return Delivery::ok();
  }

  void reopen() { look_after(); }
  void tick() { look_after(); }

  void close() {
    if (target_.is_open() && !cut_line_.empty()) (void)finish_cut_line();
    target_.close();
  }

 private:
  // All that needs no event: follows a file that was moved away, opens what can be opened by now, rotates by age.
  void look_after() {
    target_.close_if_stale();
    if (const Result<void> opened = ready(); !opened.ok()) warning_.met(opened.error().text);
  }

  // Opens the target unless it is open, and rotates it when it is too old.
  Result<void> ready() {
    if (!target_.is_open()) {
      cut_line_.clear();  // it went with the FIFO's reader, or is in a file that was taken away
      if (Result<void> opened = target_.open(); !opened.ok()) return opened;
      if (rotates() && rotation_.by_age()) {
        const std::int64_t birth = target_.birth_ns();
        rotation_.opened(birth != 0 ? birth : now_ns());
      }
      if (rotation_.enabled() && !rotates()) host_.warning(target_.path() + " is no file: rotate_... does nothing");
    }
    if (rotates() && rotation_.by_age()) {
      if (const std::int64_t now = now_ns(); rotation_.too_old(target_.size_bytes(), now)) rotate(now);
    }
    return {};
  }

  [[nodiscard]] bool rotates() const noexcept { return target_.kind() == Target::Kind::regular && rotation_.enabled(); }

  // A rotation that fails is complained of, and lines go on into the same file.
  void rotate(std::int64_t now) {
    Result<nfbus::util::Descriptor> next = rotation_.rotate(target_.path(), target_.file(), now);
    if (!next.ok()) return rotation_warning_.met(next.error().text);
    rotation_warning_.over();
    target_.replace(std::move(next).value());
    rotation_.opened(now);
  }

  // One text with all lines, and where each ends.
  void gather(nfbus::Events events) {
    text_.clear();
    ends_.clear();
    for (const nfbus::Event event : events) {
      const std::string_view json = event.json(format_);
      if (!json.empty()) {
        text_.append(json);
        text_.push_back('\n');
      }
      ends_.push_back(text_.size());
    }
  }

  // errno; 0: the line is whole.
  int finish_cut_line() {
    const Progress progress = target_.write(std::string_view(cut_line_).substr(cut_at_));
    cut_at_ += progress.size_bytes;
    return progress.error;
  }

  // How many events are done when so many bytes are out.
  std::uint32_t events_until(nfbus::Events events, std::size_t at) {
    const auto done = static_cast<std::uint32_t>(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
    reject_unknown(events, done);
    return done;
  }

  // Writing ended with an error after `at` bytes: sees to it that what comes next begins on a line of its own.
  Delivery stopped(nfbus::Events events, std::size_t at, int error) {
    const std::uint32_t done = events_until(events, at);
    const std::size_t line = done == 0 ? 0 : ends_[done - 1];
    if (at > line && !target_.take_back(at - line)) {
      cut_line_.assign(text_, line, ends_[done] - line);
      cut_at_ = at - line;
    }
    const std::string reason = target_.explain(error);
    if (error == EAGAIN) return Delivery::retry(done, reason, kRetrySlowReaderMs);
    if (error != EPIPE) return unavailable(done, reason);
    if (target_.kind() == Target::Kind::standard_output) return Delivery::fatal(reason);
    target_.close();  // what the reader left in the FIFO goes with it; worth a line only when no other comes
    return Delivery::retry(done, reason);
  }

  Delivery unavailable(std::uint32_t done, const std::string& reason) {
    warning_.met(reason);
    return Delivery::retry(done, reason, target_.kind() == Target::Kind::fifo ? kRetryNoReaderMs : output::kRetryMs);
  }

  void reject_unknown(nfbus::Events events, std::uint32_t count) const {
    std::size_t before = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (ends_[i] == before) events.reject(i, "the format cannot show this kind of event");
      before = ends_[i];
    }
  }

  const nfbus::Host host_;
  const nfbus::Format format_;
  Target target_;
  Rotation rotation_;
  std::string text_;  // the lines of one write()
  std::vector<std::size_t>
      ends_;              // of each event's line in text_; an event without text ends where the one before does
  std::string cut_line_;  // a line of which only the first cut_at_ bytes are out; empty: none
  std::size_t cut_at_ = 0;
  output::LastingWarning warning_;
  output::LastingWarning rotation_warning_;
};

}  // namespace

NFBUS_SINK(JsonLines, "jsonl",
           {.summary = "writes events as lines of JSON to a file, a FIFO or standard output",
            .version = "1.0",
            .schema = kSchema,
            .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
            .shape = {.batch_events = 512, .batch_bytes = 1U << 20U}})
