// Any bytes as what a program writes to the bus's socket: each line is read as another JSON parser reads it, relayed as
// it came, and made a message that every sink can show.
#include "bus/server/hub.hpp"
#include "must.hpp"
#include "support/log.hpp"
#include "support/utf8.hpp"
#include "take_lines.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using nfbus::fuzz::must;
using namespace nfbus::host;
using nfbus::host::test::take_lines;
namespace util = nfbus::util;
using Json = nlohmann::json;
using Kind = WireLine::Kind;

constexpr std::size_t kMostNested = 10000;  // as encoding/json of Go

Utf8Sequence character(std::string_view text) {
  return (text.front() & 0x80) == 0 ? Utf8Sequence{.size = 1, .valid = true} : utf8_sequence(text);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Sequence sequence = character(text);
    if (!sequence.valid) return false;
    text.remove_prefix(sequence.size);
  }
  return true;
}

// The code unit of a \uXXXX that `text` begins with; 0: none.
std::uint32_t unit_of(std::string_view text) {
  text = text.substr(0, 6);
  const auto is_hex = [](unsigned char digit) { return std::isxdigit(digit) != 0; };
  if (text.size() != 6 || !text.starts_with("\\u") || !std::all_of(text.begin() + 2, text.end(), is_hex)) return 0;
  return static_cast<std::uint32_t>(std::stoul(std::string(text.substr(2)), nullptr, 16));
}

// What stands for no character becomes U+FFFD, bytes and \uXXXX alike: the other parser refuses it.
std::string without_nonsense(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    std::size_t size = 0;
    bool valid = true;
    if (line.front() == '\\') {
      const std::uint32_t unit = unit_of(line);
      const std::uint32_t next = line.size() > 6 ? unit_of(line.substr(6)) : 0;
      const bool pair = unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000;
      valid = pair || unit < 0xd800 || unit >= 0xe000;
      size = pair ? 12 : unit != 0 ? 6 : std::min<std::size_t>(2, line.size());
    } else {
      const Utf8Sequence sequence = character(line);
      valid = sequence.valid;
      size = sequence.size;
    }
    out += valid ? line.substr(0, size) : kReplacementCharacter;
    line.remove_prefix(size);
  }
  return out;
}

// What a line says, by the events of nlohmann's parser: to a reader as encoding/json of Go is one, which takes the last
// of the keys that are the same in any case, and to one that knows only the exact key.
class Reading : public nlohmann::json_sax<Json> {
 public:
  explicit Reading(std::string_view line) {
    const std::string text = without_nonsense(line);
    // That parser takes a NUL for the end, and skips a byte order mark.
    const bool whole =
        text.find('\0') == std::string::npos && !text.starts_with("\xef\xbb\xbf") && Json::sax_parse(text, this);
    if (!whole) {
      kind = Kind::broken;
      wants_answer = false;
    } else if (std::any_of(seen_.begin(), seen_.end(), [](const auto& key) { return key.second > 1; })) {
      kind = Kind::ambiguous;
    } else if (wrong_topic_) {
      kind = Kind::wrong_topic;
    } else if (wrong_value_) {
      kind = Kind::wrong_value;
    } else if (topic.starts_with("subscribe:")) {
      kind = Kind::subscribe;
    }
  }

  Kind kind = Kind::publish;
  std::string topic, value;              // as Go takes them
  std::string exact_topic, exact_value;  // as those take them who know the exact key alone
  bool wants_answer = false;
  bool judged = true;  // false: there is a number that the parser cannot hold

  bool null() override {
    if (is_at("value")) wrong_value_ = true;
    return depth_ != 0;
  }
  bool boolean(bool yes) override {
    if (is_at("answer") && yes) wants_answer = true;
    return other_value();
  }
  bool number_integer(number_integer_t /*value*/) override { return other_value(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return other_value(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return other_value(); }
  bool string(string_t& text) override {
    if (is_at("topic")) topic = text;
    if (is_at("value")) value = text;
    if (depth_ == 1 && key_ == "topic") exact_topic = text;
    if (depth_ == 1 && key_ == "value") exact_value = text;
    return depth_ != 0;
  }
  bool binary(binary_t& /*bytes*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return depth_ != 0 && open(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    key_ = name;
    member_ = folded(name);
    for (const std::string_view known : {"topic", "value", "format", "match", "marker", "answer"}) {
      if (member_ == known) ++seen_[member_];
    }
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const Json::exception& error) override {
    judged = dynamic_cast<const Json::out_of_range*>(&error) == nullptr;
    return false;
  }

 private:
  // foldName of encoding/json, for keys of ASCII letters.
  static std::string folded(std::string_view name) {
    std::string out;
    while (!name.empty()) {
      const std::size_t size = character(name).size;
      const std::string_view one = name.substr(0, size);
      if (one == "\xc5\xbf") {
        out += 's';
      } else if (one == "\xe2\x84\xaa") {
        out += 'k';
      } else {
        for (const char c : one) out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      }
      name.remove_prefix(size);
    }
    return out;
  }
  [[nodiscard]] bool is_at(std::string_view member) const { return depth_ == 1 && member_ == member; }
  // A value that is no string and not null; false: it may not stand there.
  bool other_value() {
    if (is_at("topic")) wrong_topic_ = true;
    if (is_at("value")) wrong_value_ = true;
    return depth_ != 0;
  }
  bool open() {
    if (depth_ != 0 && !other_value()) return false;
    return ++depth_ <= kMostNested;
  }
  bool close() {
    --depth_;
    return true;
  }

  std::size_t depth_ = 0;
  std::string key_, member_;
  std::map<std::string, unsigned> seen_;
  bool wrong_topic_ = false;
  bool wrong_value_ = false;
};

// Keeps what is published on a bus.
class Sink final : public Subscriber {
 public:
  void offer(const BatchRef& batch, bool /*wait_for_room*/) override { batches.push_back(batch); }
  void end_waiting() override {}
  [[nodiscard]] bool wants_message(std::string_view /*topic*/) const override { return true; }
  std::vector<BatchRef> batches;
};

const FormatSet& formats() {
  static const FormatSet all("test");
  return all;
}

// A hub with one client that writes and one that listens to everything.
class World {
 public:
  World() {
    bus_.add(sink_);
    hub_.join(writer_);
    hub_.join(listener_);
    hub_.receive(listener_, R"({"topic":"subscribe:"})");
  }
  ~World() {
    hub_.leave(writer_);
    hub_.leave(listener_);
    must(hub_.waiting_bytes() == 0, "nothing is left of clients that are gone");
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void write(std::string_view line) {
    const ReceivedCounters before = writer_.received;
    hub_.receive(writer_, line);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const Reading reading(line);
    const bool relayed = writer_.received.relayed != before.relayed;
    if (reading.judged) {
      const bool hosts_own = reading.topic.starts_with("nft:") || reading.topic.starts_with("nfbus:");
      must(relayed == (reading.kind == Kind::publish && !hosts_own),
           "what is published is relayed, but for the host's");
      must((writer_.received.invalid != before.invalid) ==
               (reading.kind == Kind::broken || reading.kind == Kind::wrong_topic),
           "broken lines are counted");
    }
    check_sum();
    check_listener(line, relayed);
    check_messages(reading, relayed);
    if (reading.judged && relayed) check_readers(reading);
    check_writer(line, reading, relayed);
  }

 private:
  void check_sum() const {
    const ReceivedCounters& c = writer_.received;
    must(c.received == c.relayed + c.subscribed + c.invalid + c.not_text + c.refused, "each line is counted once");
  }
  void check_listener(std::string_view line, bool relayed) {
    const std::vector<std::string> lines = take_lines(listener_);
    must(lines.size() == (relayed ? 1U : 0U), "a line goes out once, or not at all");
    if (relayed) must(lines.front() == std::string(line) + '\n', "a line is relayed as it came");
  }
  // A reader that takes the last of several keys, or knows the exact key alone, finds what was judged, or none.
  static void check_readers(const Reading& reading) {
    for (const std::string_view hosts : {"nft:", "nfbus:"}) {
      must(!reading.topic.starts_with(hosts), "no reader finds a topic of the host's, in any case");
      must(!reading.exact_topic.starts_with(hosts), "no reader finds a topic of the host's");
    }
    must(reading.exact_topic.empty() || reading.exact_topic == reading.topic, "all find the same topic");
    must(reading.exact_value.empty() || reading.exact_value == reading.value, "all find the same value");
  }
  // What the writer gets: its own lines, if it subscribed, the status, and an answer if it wants one.
  void check_writer(std::string_view line, const Reading& reading, bool relayed) {
    std::size_t answers = 0;
    for (const std::string& got : take_lines(writer_)) {
      if (relayed && got == std::string(line) + '\n') continue;
      must(got.size() <= kMostMadeBytes && got.find('\n') == got.size() - 1, "the host's lines are short");
      const Json made = Json::parse(got, nullptr, false);
      must(made.is_object(), "the host's lines are JSON");
      if (made.at("topic") == "nfbus:answer") ++answers;
    }
    if (reading.judged) must(answers == (reading.wants_answer ? 1U : 0U), "each who asks is answered once");
  }
  void check_messages(const Reading& reading, bool relayed) {
    must(sink_->batches.size() == (relayed ? 1U : 0U), "a message is published once, or not at all");
    for (const BatchRef& batch : std::exchange(sink_->batches, {})) {
      const Event& event = batch->events().front();
      const std::string_view text(reinterpret_cast<const char*>(event.payload.data), event.payload.size);
      must(is_utf8(view(event.topic)) && is_utf8(text), "a message is UTF-8");
      if (reading.judged)
        must(view(event.topic) == reading.topic && text == reading.value, "a message is what was sent");
      TextBuffer out;
      formats()[formats().find("packet")].render(event, out);
      must(out.view().find('\n') == std::string_view::npos, "a message is shown on one line");
      const Json shown = Json::parse(out.view(), nullptr, false);
      must(shown.is_object() && shown.size() == 3, "a message is shown as JSON");
      must(shown.at("Topic") == std::string(view(event.topic)), "with its topic");
      const bool is_json = text.find('\0') == std::string_view::npos && !text.starts_with("\xef\xbb\xbf") &&
                           !util::is_nested_deeper(text) && Json::accept(text.begin(), text.end());
      must(shown.at("Message") == (is_json ? Json::parse(text) : Json(std::string(text))), "as JSON or else a string");
    }
  }

  static HubSettings settings() {
    return {.topic_root = "nft:",
            .default_format = kPacketFormat,
            .with_payload = false,
            .fields = {.names = {}, .any = true},
            .client_bytes = 8UL << 20U,
            .total_bytes = 64UL << 20U};
  }

  Bus bus_;
  const std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
  Hub hub_{bus_, formats(), settings(), [] { return std::string(R"({"a":"\n"})"); }};
  Client writer_{Descriptor(), 1, {}, 8UL << 20U, hub_.store()};
  Client listener_{Descriptor(), 2, {}, 8UL << 20U, hub_.store()};
};

void check_scanner(std::string_view line) {
  static WireScanner scanner;
  const WireLine read = scanner.scan(line);
  const Reading reading(line);
  if (!reading.judged) return;
  must(read.kind == reading.kind, "both parsers say what kind of line it is");
  if (read.kind == Kind::broken) return;
  must(read.wants_answer == reading.wants_answer, "both see who wants an answer");
  if (read.kind == Kind::ambiguous) return;
  const std::string begin = read.kind == Kind::subscribe ? "subscribe:" : "";
  must(begin + std::string(read.topic) == reading.topic, "both find the same topic");
  std::string value;
  decode_string(read.value, value);
  must(value == reading.value, "both find the same value");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kMostReceivedBytes) return 0;
  log::set_level(log::Level::error);
  World world;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (;;) {
    const std::size_t end = text.find('\n');
    check_scanner(text.substr(0, end));
    world.write(text.substr(0, end));
    if (end == std::string_view::npos) return 0;
    text.remove_prefix(end + 1);
  }
}
