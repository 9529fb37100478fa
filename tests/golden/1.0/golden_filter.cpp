// A filter of ABI 1.0 that calls what a filter can call: it drops what matches, masks, cuts, names anew and annotates
// the rest, hears "golden:" messages and tells the last one in tick().
#include <nfbus/filter.hpp>

#include <array>
#include <stdexcept>
#include <string>

namespace {

constexpr nfbus_text kFields[] = {NFBUS_TEXT("text"),    NFBUS_TEXT("integer"), NFBUS_TEXT("number"),
                                  NFBUS_TEXT("boolean"), NFBUS_TEXT("address"), NFBUS_TEXT("json")};

class Filter {
 public:
  Filter(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        drop_(host.match(options.json("drop"))),
        refused_(host.counter("refused")),
        bytes_(static_cast<std::uint32_t>(options.integer("bytes"))) {
    host.listen("golden:");
  }

  void open(nfbus::Shape& shape) const { shape.tick_ms = 250; }

  void apply(nfbus::Candidates candidates) const {
    for (const nfbus::Candidate candidate : candidates) {
      if (drop_(candidate.event())) {
        candidate.drop();
      } else {
        change(candidate);
      }
    }
  }

  void reopen() const { publish("golden_filter:reopen", ""); }
  void tick() const { publish("golden_filter:heard", heard_); }
  void hear(nfbus::Events messages) {
    for (const nfbus::Event message : messages) heard_ = message.text();
    host_.wake();
  }
  void finish() const { publish("golden_filter:finish", heard_); }
  void diagnose(nfbus::Findings findings) const { findings.info("it filters"); }

 private:
  void publish(std::string_view topic, std::string_view text) const {
    if (!host_.publish(topic, text)) throw std::runtime_error("cannot publish");
  }

  void change(nfbus::Candidate candidate) const {
    constexpr std::array<std::uint8_t, 1> kZero{0};
    if (!candidate.event().has_layer(NFBUS_LAYER_IPV4)) return;
    constexpr std::uint32_t kLastOctets[] = {15, 19};  // of source and destination: RFC 791, section 3.1
    for (const std::uint32_t offset : kLastOctets) candidate.rewrite(NFBUS_PART_PAYLOAD, offset, kZero);
    candidate.cut(bytes_);
    candidate.set_topic("golden:masked");
    candidate.annotate("text", "a \"text\"");
    candidate.annotate("integer", 42);
    candidate.annotate("number", -1.5);
    candidate.annotate("boolean", true);
    candidate.annotate("address", candidate.event().source());
    candidate.annotate_json("json", R"({"a":[1]})");
    if (!candidate.set_topic("nfbus:status")) refused_.add();
    if (!candidate.rewrite(NFBUS_PART_PAYLOAD, 65535, kZero)) refused_.add();
    if (!candidate.annotate_json("json", "{")) refused_.add();
    if (!candidate.annotate("", "a field without a name")) refused_.add();
  }

  const nfbus::Host host_;
  const nfbus::Match drop_;
  const nfbus::Counter refused_;
  const std::uint32_t bytes_;
  std::string heard_;
};

constexpr const char* kSchema = R"({"type":"object","properties":{
"drop":{"type":"array","default":[],"items":{"type":"object","x-match":true}},
"bytes":{"type":"integer","default":24,"minimum":0}}})";

}  // namespace

NFBUS_FILTER(Filter, "golden_filter",
             {.summary = "a filter of ABI 1.0",
              .version = "1.0",
              .schema = kSchema,
              .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
              .shape = {.tick_ms = 1000},
              .annotates = kFields})
