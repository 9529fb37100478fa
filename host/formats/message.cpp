#include "formats/message.hpp"

#include "formats/json_writer.hpp"
#include "formats/time_text.hpp"
#include "support/json_text.hpp"

#include <string_view>

namespace nfbus::host {

namespace {

// Leaves out the white space between tokens, and escapes what hides; numbers, repeated keys and escapes stay as they
// were written.
char* put_compacted(char* out, std::string_view document) noexcept {
  bool in_string = false;
  std::size_t begin = 0;  // of what is not written yet
  for (std::size_t i = 0; i < document.size(); ++i) {
    const char byte = document[i];
    if (!in_string && (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')) {
      out = json::put_shown(out, document.substr(begin, i - begin));
      begin = i + 1;
    }
    if (byte == '"') in_string = !in_string;
    if (in_string && byte == '\\') ++i;
  }
  return json::put_shown(out, document.substr(begin));
}

}  // namespace

void render_message(const nfbus_event& event, TextBuffer& out) {
  const std::string_view topic = view(event.topic);
  const std::string_view message(reinterpret_cast<const char*>(event.payload.data), event.payload.size);
  char* at = out.room(json::kMaxEscapedByte * (topic.size() + message.size()) + kMaxRfc3339 + 64 + json::kSlack);
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

void append_fields_object(const nfbus_event& event, TextBuffer& out, bool (*shown)(std::string_view name)) {
  if (out.size() == 0) return;
  bool first = true;
  for (std::uint32_t i = 0; i < event.field_count; ++i) {
    const nfbus_field& field = event.fields[i];
    if (!shown(view(field.name))) continue;
    if (first) out.truncate(out.size() - 1);
    char* at = out.room(json::kMaxEscapedByte * (field.name.size + field.value.size) + 32 + json::kSlack);
    at = first ? json::put(at, R"(,"Fields":{")") : json::put(at, R"(,")");
    at = json::put_text(at, view(field.name));
    at = json::put(at, R"(":)");
    if (field.type == NFBUS_VALUE_INTEGER || field.type == NFBUS_VALUE_NUMBER || field.type == NFBUS_VALUE_BOOLEAN) {
      at = json::put(at, view(field.value));
    } else if (field.type == NFBUS_VALUE_JSON) {
      at = json::put_shown(at, view(field.value));
    } else {
      at = json::put(at, R"(")");
      at = json::put_text(at, view(field.value));
      at = json::put(at, R"(")");
    }
    out.commit(at);
    first = false;
  }
  if (!first) out.append("}}");
}

}  // namespace nfbus::host
