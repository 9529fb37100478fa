// A sink of ABI 1.0 that calls what a sink can call. What it does with a message is its text: "again" comes again once,
// "reject" is rejected, "retry" ends the call there; "throw" throws. Of a packet it tells what the host says of it.
#include <nfbus/sink.hpp>

#include <optional>
#include <stdexcept>
#include <string>

namespace {

class Sink {
 public:
  Sink(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        format_(host.format("ulogd")),
        match_(host.match(options.json("match"))),
        delivered_(host.counter("delivered")),
        matched_(host.counter("matched")),
        questions_(host.counter("questions")),
        ticks_(host.counter("ticks")),
        batch_events_(static_cast<std::uint32_t>(options.integer("batch_events"))) {
    if (options.number("ratio") > 1) throw nfbus::OptionError("ratio", "a ratio is 1 at most");
    if (!options.boolean("is_good")) throw std::invalid_argument("this sink is not good");
    for (const std::string& name : options.list("names")) names_ += name + ' ';
  }

  void open(nfbus::Shape& shape) const {
    shape.batch_events = batch_events_;
    host_.info("golden sink " + names_ + "of " + std::string(host_.instance_name()));
  }

  nfbus::Delivery write(nfbus::Events events) {
    if (events.time_left_ms() == 0) throw std::runtime_error("there is no time");
    for (std::uint32_t i = 0; i < events.size(); ++i) {
      const nfbus::Event event = events[i];
      if (match_(event)) matched_.add();
      if (event.is_packet()) {
        tell(event);
      } else if (event.text() == "again" && !was_again_) {
        was_again_ = true;
        events.again(i);
      } else if (event.text() == "reject") {
        events.reject(i, "as it asked");
      } else if (event.text() == "retry") {
        return nfbus::Delivery::retry(i, "come back later", 20);
      } else if (event.text() == "throw") {
        throw std::runtime_error("as it asked");
      } else if (event.text() == "fatal") {
        return nfbus::Delivery::fatal("nothing goes any more");
      } else {
        delivered_.add();
        events.delivered(i);
      }
    }
    kept_ = host_.copy(events[0]);
    host_.wake();
    return nfbus::Delivery::ok();
  }

  void reopen() { publish("golden:reopen", names_); }
  void flush() { publish("golden:flush", names_); }
  void tick() {
    ticks_.add();
    if (kept_) publish("golden:kept", kept_->event().topic());
    kept_.reset();
  }
  void close() { publish("golden:close", names_); }
  void diagnose(nfbus::Findings findings) const { findings.warning("it is " + names_, "mend it"); }

 private:
  void publish(std::string_view topic, std::string_view text) const {
    if (!host_.publish(topic, text)) host_.error("cannot publish");
  }

  void tell(nfbus::Event event) const {
    publish("golden:json", event.json(format_));
    const nfbus::EventCopy copy = host_.event_of(host_.record(event));
    const std::string ports = event.source_port() ? std::to_string(*event.source_port()) : "none";
    publish("golden:record", std::string(copy.event().source().view()) + ' ' + ports);
    if (const auto dns = host_.dns(event)) {
      for (const nfbus::DnsRecord record : *dns) {
        questions_.add();
        publish("golden:dns", record.name());
      }
    }
  }

  const nfbus::Host host_;
  const nfbus::Format format_;
  const nfbus::Match match_;
  const nfbus::Counter delivered_;
  const nfbus::Counter matched_;
  const nfbus::Counter questions_;
  const nfbus::Counter ticks_;
  const std::uint32_t batch_events_;
  std::string names_;
  std::optional<nfbus::EventCopy> kept_;
  bool was_again_ = false;
};

// 10 for each argument, 1 for each instance, 100 when the first one's names begin with "a".
int count(nfbus::Host host, nfbus::CommandCall call) {
  host.info(call.arguments().front());
  int out = static_cast<int>(call.arguments().size() * 10 + call.instance_count());
  if (call.instance_count() != 0 && call.instance(0).options().text("names/0") == "a") out += 100;
  return out;
}

constexpr const char* kSchema = R"({"type":"object","properties":{
"match":{"type":"array","default":[],"items":{"type":"object","x-match":true}},
"names":{"type":"array","default":["a"],"maxItems":3,"items":{"type":"string","minLength":1}},
"batch_events":{"type":"integer","default":7,"minimum":1,"maximum":1000},"ratio":{"type":"number","default":0.5},
"is_good":{"type":"boolean","default":true},"file":{"type":"string","x-path":true,"default":"golden"},
"old":{"type":"integer","deprecated":true,"description":"leave it out"}}})";

constexpr nfbus_command kCommands[] = {nfbus::command<count>("golden-count", "counts what it is given")};

}  // namespace

NFBUS_SINK(Sink, "golden_sink",
           {.summary = "a sink of ABI 1.0",
            .version = "1.0",
            .schema = kSchema,
            .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
            .shape = {.batch_events = 100, .batch_bytes = 65536, .batch_age_ms = 50, .tick_ms = 1000},
            .commands = kCommands})
