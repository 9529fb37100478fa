#include "cli/tap/received_event.hpp"

#include "decode/decode.hpp"

#include <nlohmann/json.hpp>

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
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

bool ReceivedEvent::read(const Json& line) {
  event_ = {};
  event_.struct_size = sizeof(nfbus_event);
  topic_ = text_at(line, "topic");
  value_ = text_at(line, "value");
  if (!line.contains("time_ns")) {
    event_.kind = NFBUS_EVENT_MESSAGE;
    event_.topic = text(topic_);
    event_.time_ns = now_ns();
    event_.payload = {.data = reinterpret_cast<const std::uint8_t*>(value_.data()), .size = value_.size()};
    return true;
  }
  if (!decode_base64(value_, record_) || !read_record(record_, event_)) return false;
  decode_packet(event_);
  event_.topic = text(topic_);
  event_.time_ns = number_at(line, "time_ns");
  read_context(line);
  return true;
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
