#include "cli/tap/received_event.hpp"

#include "event/topic.hpp"
#include "formats/json_writer.hpp"
#include "record/record.hpp"
#include "support/clock.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <array>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kBase64Values = [] {  // RFC 4648, section 4; -1: no digit
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < json::kBase64Digits.size(); ++i) {
    values.at(static_cast<unsigned char>(json::kBase64Digits[i])) = static_cast<std::int8_t>(i);
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
  if (packet_root_ && topic_.starts_with(*packet_root_) && !topic_.starts_with(kOwnTopics)) return read_packet();
  event_.kind = NFBUS_EVENT_MESSAGE;
  event_.topic = text(topic_);
  event_.time_ns = realtime_ns();
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

ReceivedEvent::Kind ReceivedEvent::read_packet() {
  if (!decode_base64(value_, record_)) return Kind::odd;
  const auto decoded = record::decode(record_, event_, fields_, ports_);
  if (!decoded && decoded.error().code == Code::unsupported) {
    refusal_ = "the host sends " + decoded.error().text;
    return Kind::unknown;
  }
  return decoded && event_.kind == NFBUS_EVENT_PACKET ? Kind::packet : Kind::odd;
}

}  // namespace nfbus::host
