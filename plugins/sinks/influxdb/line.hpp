// InfluxDB's line protocol: names, tags and fields as bytes that the server reads back as what they were.
// https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/ ("Special characters"). All append
// to a text and allocate nothing once it has grown.
//
// What cannot be written is replaced: control characters in names and tags become a blank, a backslash at their end and
// bytes that are not UTF-8 become U+FFFD. Fields of text keep every byte that is UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace influx {

// One value of a point. text is a view: valid as long as the event that it is of.
struct Value {
  enum class Kind : std::uint8_t { none = 1, text, integer, real, boolean };
  Kind kind = Kind::none;
  bool truth = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text = {};

  static Value of(std::string_view text) { return {.kind = Kind::text, .text = text}; }
  static Value of(std::int64_t integer) { return {.kind = Kind::integer, .integer = integer}; }
  static Value of(double real) { return {.kind = Kind::real, .real = real}; }
  static Value of(bool truth) { return {.kind = Kind::boolean, .truth = truth}; }
};

void append_measurement(std::string& out, std::string_view name);
// Keys of tags and of fields.
void append_key(std::string& out, std::string_view key);
void append_tag_value(std::string& out, std::string_view value);
// With its quotes.
void append_text_field(std::string& out, std::string_view value);
void append_number(std::string& out, std::int64_t number);

// Whether it can stand in a point: no `none`, no NaN or infinity.
[[nodiscard]] bool is_writable(const Value& value);
// As a field: 42i, 1.5, true, "text". The value must be writable.
void append_field_value(std::string& out, const Value& value);
// Its text, as a tag shows it: for numbers and booleans kept in `scratch`. Empty: there is none.
[[nodiscard]] std::string_view tag_text(const Value& value, std::string& scratch);

}  // namespace influx
