#include "line.hpp"

#include "../../lib/ascii.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace influx {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What a byte takes: as it is, a backslash before it, a blank in its place, or a look at what follows.
enum class Byte : std::uint8_t { plain = 1, escaped, blank, wide };
using Bytes = std::array<Byte, 256>;

constexpr Bytes bytes_of(std::string_view escaped, bool controls_are_blanks) {
  Bytes out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool is_control = i < 0x20 || i == 0x7f;
    out[i] = i >= 0x80 ? Byte::wide : is_control && controls_are_blanks ? Byte::blank : Byte::plain;
  }
  for (const char c : escaped) out[static_cast<unsigned char>(c)] = Byte::escaped;
  return out;
}

constexpr Bytes kMeasurement = bytes_of(", ", true);
constexpr Bytes kKeyOrTag = bytes_of(",= ", true);
constexpr Bytes kText = bytes_of("\"\\", false);

bool is_continuation(unsigned char byte) { return (byte & 0xc0U) == 0x80; }

// The length of the character that begins there (RFC 3629, section 4); 0: it is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) -> unsigned char {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : std::uint8_t{0};
  };
  const unsigned char first = at(0);
  if (first >= 0xc2 && first <= 0xdf) return is_continuation(at(1)) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!is_continuation(at(1)) || !is_continuation(at(2))) return 0;
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f)) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!is_continuation(at(1)) || !is_continuation(at(2)) || !is_continuation(at(3))) return 0;
    if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

void append_escaped(std::string& out, std::string_view text, const Bytes& bytes) {
  std::size_t plain_from = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const Byte byte = bytes[static_cast<unsigned char>(text[i])];
    if (byte == Byte::plain) {
      ++i;
      continue;
    }
    if (byte == Byte::wide) {
      if (const std::size_t length = utf8_length(text.substr(i)); length != 0) {
        i += length;
        continue;
      }
    }
    out.append(text, plain_from, i - plain_from);
    switch (byte) {
      case Byte::escaped:
        out += '\\';
        out += text[i];
        break;
      case Byte::blank: out += bytes[' '] == Byte::escaped ? "\\ " : " "; break;
      default: out += kReplacement; break;
    }
    plain_from = ++i;
  }
  out.append(text, plain_from, i - plain_from);
}

// A backslash at the end would take the comma, blank or equals sign behind it.
void append_without_last_backslash(std::string& out, std::string_view text, const Bytes& bytes) {
  const bool ends_badly = text.ends_with('\\');
  if (ends_badly) text.remove_suffix(1);
  append_escaped(out, text, bytes);
  if (ends_badly) out += kReplacement;
}

constexpr std::size_t kNumberRoom = 32;

template <typename Number>
void append_any(std::string& out, Number number) {
  std::array<char, kNumberRoom> room;
  const auto [end, error] = std::to_chars(room.data(), room.data() + room.size(), number);
  if (error == std::errc()) out.append(room.data(), end);
}

}  // namespace

void append_measurement(std::string& out, std::string_view name) {
  append_without_last_backslash(out, name, kMeasurement);
}

void append_key(std::string& out, std::string_view key) { append_without_last_backslash(out, key, kKeyOrTag); }

void append_tag_value(std::string& out, std::string_view value) {
  append_without_last_backslash(out, value, kKeyOrTag);
}

void append_text_field(std::string& out, std::string_view value) {
  out += '"';
  append_escaped(out, value, kText);
  out += '"';
}

void append_number(std::string& out, std::int64_t number) { append_any(out, number); }

bool is_writable(const Value& value) {
  return value.kind != Value::Kind::none && (value.kind != Value::Kind::real || std::isfinite(value.real));
}

void append_field_value(std::string& out, const Value& value) {
  switch (value.kind) {
    case Value::Kind::text: append_text_field(out, value.text); break;
    case Value::Kind::integer:
      append_number(out, value.integer);
      out += 'i';
      break;
    case Value::Kind::real: append_any(out, value.real); break;
    case Value::Kind::boolean: out += value.truth ? "true" : "false"; break;
    case Value::Kind::none: break;
  }
}

std::string_view tag_text(const Value& value, std::string& scratch) {
  scratch.clear();
  switch (value.kind) {
    case Value::Kind::text: return output::trimmed(value.text);
    case Value::Kind::integer: append_number(scratch, value.integer); break;
    case Value::Kind::real:
      if (std::isfinite(value.real)) append_any(scratch, value.real);
      break;
    case Value::Kind::boolean: scratch = value.truth ? "true" : "false"; break;
    case Value::Kind::none: break;
  }
  return scratch;
}

}  // namespace influx
