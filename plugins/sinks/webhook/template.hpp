// Texts of the configuration with placeholders in braces, which an event fills.
#pragma once

#include "facts.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace webhook {

// Where a text goes, and so what its values must not bring along.
enum class Form : std::uint8_t {
  text = 1,  // a body of plain text: values as they are
  header,    // the value of a header: control characters become blanks, a long value is cut
  url,       // percent-encoded
};

enum class Escape : std::uint8_t {
  none = 1,
  entities,  // &, < and > of values in bodies become &amp;, &lt; and &gt;
};

// Immutable. Thread safety: any.
class Template {
 public:
  // text: {KEY}, {KEY.KEY} and {ONE|OTHER} are placeholders, {{ and }} are braces. Throws std::invalid_argument, which
  // says what is wrong and where.
  [[nodiscard]] static Template of_text(std::string_view text, Form form, Escape escape = Escape::none);
  // json: placeholders stand in its strings. A string that is one placeholder alone becomes the value with its type,
  // null if there is none; in others stands the value's text. Whatever a value is, the result is JSON of the same
  // shape. Throws as of_text().
  [[nodiscard]] static Template of_json(std::string_view json, Escape escape);

  [[nodiscard]] bool has_placeholders() const noexcept;
  // Whether it has other placeholders than {id} and {device}, and so depends on what the event says.
  [[nodiscard]] bool depends_on_event() const;
  [[nodiscard]] bool asks_for(std::string_view name) const;

  // False: it is to be a url, and one of its placeholders has no value.
  bool append(const Facts& facts, std::string& out) const;

 private:
  class JsonCompiler;
  enum class Use : std::uint8_t { literal = 1, json_value, json_text, text, header, url };

  struct Piece {
    Use use;
    std::string literal = {};
    Placeholder placeholder = {};  // unless it is a literal
  };

  [[nodiscard]] static std::vector<Piece> pieces_of(std::string_view text, Use use);
  void append_literal(std::string_view text);
  void append_body(const Piece& piece, std::string_view part, std::string& out) const;

  std::vector<Piece> pieces_;
  Escape escape_ = Escape::none;
};

}  // namespace webhook
