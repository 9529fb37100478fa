#include "cli/tap/received_event.hpp"

#include "decode/decode.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kBase64Values = [] {  // RFC 4648, section 4; -1: no digit
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values.at(static_cast<unsigned char>(kDigits[i])) = static_cast<std::int8_t>(i);
  }
  return values;
}();

bool decode_base64(std::string_view text, std::vector<std::uint8_t>& out) {
  out.clear();
  while (text.ends_with('=')) text.remove_suffix(1);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char digit : text) {
    const std::int8_t value = kBase64Values[static_cast<unsigned char>(digit)];
    if (value < 0) return false;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<std::uint8_t>(bits >> count));
  }
  return true;
}

std::string text_at(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_at(const Json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ReceivedEvent::Kind ReceivedEvent::read(std::string_view line) {
  const WireLine wire = scanner_.scan(line);
  if (wire.kind != WireLine::Kind::publish || util::is_nested_deeper(line)) return Kind::odd;
  event_ = {};
  event_.struct_size = sizeof(nfbus_event);
  topic_ = wire.topic;
  value_.clear();
  decode_string(wire.value, value_);
  if (topic_ == "nfbus:dropped") return read_missed();
  if (topic_ == "nfbus:answer") return read_answer();
  if (topic_.starts_with(topic_root_) && !topic_.starts_with("nfbus:")) {
    const Json object = Json::parse(line.begin(), line.end(), nullptr, false);
    if (!object.is_object()) return Kind::odd;
    if (object.contains("time_ns")) return read_packet(object);
  }
  event_.kind = NFBUS_EVENT_MESSAGE;
  event_.topic = text(topic_);
  event_.time_ns = now_ns();
  event_.payload = {.data = reinterpret_cast<const std::uint8_t*>(value_.data()), .size = value_.size()};
  return Kind::message;
}

ReceivedEvent::Kind ReceivedEvent::read_missed() {
  const Json marker = util::is_nested_deeper(value_) ? Json() : Json::parse(value_, nullptr, false);
  const std::int64_t missed = number_at(marker, "missed");
  if (missed <= 0) return Kind::odd;
  missed_ = static_cast<std::uint64_t>(missed);
  return Kind::missed;
}

ReceivedEvent::Kind ReceivedEvent::read_answer() {
  const Json answer = util::is_nested_deeper(value_) ? Json() : Json::parse(value_, nullptr, false);
  const auto ok = answer.is_object() ? answer.find("ok") : answer.end();
  if (!answer.is_object() || ok == answer.end() || !ok->is_boolean()) return Kind::odd;
  refusal_ = text_at(answer, "error");
  if (ok->get<bool>()) {
    refusal_.clear();
  } else if (refusal_.empty()) {
    refusal_ = "the host refuses, and does not say why";
  }
  return Kind::answer;
}

ReceivedEvent::Kind ReceivedEvent::read_packet(const Json& line) {
  if (!line.at("time_ns").is_number_integer()) return Kind::odd;
  if (!decode_base64(value_, record_) || !read_record(record_, event_)) return Kind::odd;
  decode_packet(event_);
  event_.topic = text(topic_);
  event_.time_ns = number_at(line, "time_ns");
  length_ = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(number_at(line, "length"), static_cast<std::int64_t>(record_.size()), INT32_MAX));
  read_context(line);
  return Kind::packet;
}

void ReceivedEvent::read_context(const Json& line) {
  event_.action = static_cast<std::uint8_t>(number_at(line, "action"));
  event_.lost_before = static_cast<std::uint32_t>(number_at(line, "lost_before"));
  in_name_ = text_at(line, "in");
  out_name_ = text_at(line, "out");
  event_.in_name = text(in_name_);
  event_.out_name = text(out_name_);
  fields_.clear();
  views_.clear();
  const auto fields = line.find("fields");
  if (fields == line.end() || !fields->is_object()) return;
  fields_.reserve(fields->size());
  views_.reserve(fields->size());
  for (const auto& [name, value] : fields->items()) {
    fields_.push_back({.name = name, .value = value.is_string() ? value.get<std::string>() : value.dump()});
    nfbus_field& view_of_it = views_.emplace_back();
    view_of_it.name = text(fields_.back().name);
    view_of_it.value = text(fields_.back().value);
  }
  event_.fields = views_.data();
  event_.field_count = static_cast<std::uint32_t>(views_.size());
}

}  // namespace nfbus::host
