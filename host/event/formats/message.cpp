#include "event/formats/message.hpp"

#include "event/formats/json_writer.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <ctime>
#include <string_view>

namespace nfbus::host {

namespace {

constexpr std::size_t kMaxTimestamp = 64;

// RFC 3339 with the fraction's trailing zeros left out, as Go writes it.
char* put_rfc3339(char* out, std::int64_t time_ns) noexcept {
  const SplitTime time = split_time(time_ns);
  const std::time_t second = time.second;
  std::tm local{};
  localtime_r(&second, &local);
  out += std::strftime(out, kMaxTimestamp, "%Y-%m-%dT%H:%M:%S", &local);
  if (time.fraction_ns != 0) {
    *out++ = '.';
    std::uint32_t left_ns = time.fraction_ns;
    for (std::uint32_t unit_ns = 100'000'000; left_ns != 0; left_ns %= unit_ns, unit_ns /= 10) {
      *out++ = static_cast<char>('0' + left_ns / unit_ns);
    }
  }
  if (local.tm_gmtoff == 0) return json::put(out, "Z");
  const auto minutes = static_cast<std::uint32_t>((local.tm_gmtoff < 0 ? -local.tm_gmtoff : local.tm_gmtoff) / 60);
  *out++ = local.tm_gmtoff < 0 ? '-' : '+';
  out = json::put_pair(out, minutes / 60 % 100);
  *out++ = ':';
  return json::put_pair(out, minutes % 60);
}

// The parser takes a NUL for the end of the text, and skips a byte order mark, which does not belong inside of ours.
bool is_json(std::string_view text) {
  return text.find('\0') == std::string_view::npos && !text.starts_with("\xef\xbb\xbf") &&
         nlohmann::json::accept(text.begin(), text.end());
}

// Leaves out the white space between tokens; numbers, repeated keys and escapes stay as they were written.
char* put_compacted(char* out, std::string_view document) noexcept {
  bool in_string = false;
  for (std::size_t i = 0; i < document.size(); ++i) {
    const char byte = document[i];
    if (!in_string && (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')) continue;
    *out++ = byte;
    if (byte == '"') in_string = !in_string;
    if (in_string && byte == '\\') *out++ = document[++i];
  }
  return out;
}

}  // namespace

void render_message(const nfbus_event& event, TextBuffer& out) {
  const std::string_view topic = view(event.topic);
  const std::string_view message(reinterpret_cast<const char*>(event.payload.data), event.payload.size);
  char* at = out.room(json::kMaxEscapedByte * (topic.size() + message.size()) + kMaxTimestamp + 64 + json::kSlack);
  at = json::put(at, R"({"Topic":")");
  at = json::put_text(at, topic);
  at = json::put(at, R"(","Timestamp":")");
  at = put_rfc3339(at, event.time_ns);
  at = json::put(at, R"(","Message":)");
  if (is_json(message)) {
    at = put_compacted(at, message);
  } else {
    *at++ = '"';
    at = json::put_text(at, message);
    *at++ = '"';
  }
  out.commit(json::put(at, "}"));
}

void append_fields_object(const nfbus_event& event, TextBuffer& out) {
  if (event.field_count == 0 || out.size() == 0) return;
  out.truncate(out.size() - 1);
  const std::string_view head = R"(,"Fields":{)";
  out.append(head);
  for (std::uint32_t i = 0; i < event.field_count; ++i) {
    const nfbus_field& field = event.fields[i];
    char* at = out.room(json::kMaxEscapedByte * (field.name.size + field.value.size) + 16 + json::kSlack);
    if (i != 0) *at++ = ',';
    *at++ = '"';
    at = json::put_text(at, view(field.name));
    at = json::put(at, R"(":")");
    at = json::put_text(at, view(field.value));
    out.commit(json::put(at, "\""));
  }
  out.append("}}");
}

}  // namespace nfbus::host
