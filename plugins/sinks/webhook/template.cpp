#include "template.hpp"

#include "../../lib/http/client.hpp"
#include "json_parts.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace webhook {
namespace {

using nlohmann::ordered_json;

// Servers refuse requests whose headers are longer than about 8 KiB.
constexpr std::size_t kMostHeaderValueBytes = 1024;

void append_entity(char c, std::string& out) {
  switch (c) {
    case '&': out += "&amp;"; break;
    case '<': out += "&lt;"; break;
    case '>': out += "&gt;"; break;
    default: out += c; break;
  }
}

std::string with_entities(std::string_view text) {
  std::string out;
  for (const char c : text) append_entity(c, out);
  return out;
}

// The same for all strings of a JSON text, in which alone the three can stand: as such, or as \u0026 and so on.
std::string with_entities_in_json(std::string_view part) {
  constexpr std::size_t kEscapeSize = 6;
  std::string out;
  for (std::size_t at = 0; at < part.size();) {
    if (part[at] != '\\') {
      append_entity(part[at++], out);
      continue;
    }
    std::string character;
    if (part.substr(at).starts_with("\\u00")) append_inside(part.substr(at, kEscapeSize), character);
    if (character == "&" || character == "<" || character == ">") {
      append_entity(character.front(), out);
      at += kEscapeSize;
    } else {
      out += part.substr(at, 2);
      at += 2;
    }
  }
  return out;
}

void append_header_value(std::string_view text, std::string& out) {
  const std::size_t begin = out.size();
  for (const char c : text) {
    const bool is_inside_of_character = (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
    if (out.size() - begin >= kMostHeaderValueBytes && !is_inside_of_character) break;
    out += static_cast<unsigned char>(c) < 0x20 || c == '\x7f' ? ' ' : c;
  }
}

// "line 2, column 5: what is wrong" of what the library says.
std::string explain(const ordered_json::parse_error& error, std::string_view json) {
  const std::size_t at = std::min(error.byte == 0 ? 0 : error.byte - 1, json.size());
  const std::string_view before = json.substr(0, at);
  const auto lines = std::ranges::count(before, '\n');
  const std::size_t line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  std::string_view what = error.what();
  if (const std::size_t dash = what.find(" - "); dash != std::string_view::npos) what.remove_prefix(dash + 3);
  return "this is no JSON, at its line " + std::to_string(lines + 1) + ", column " +
         std::to_string(at - line_begin + 1) + ": " + http::shortened(what);
}

}  // namespace

std::vector<Template::Piece> Template::pieces_of(std::string_view text, Use use) {
  std::vector<Piece> out;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) out.push_back({.use = Use::literal, .literal = std::exchange(literal, {})});
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      literal += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      literal += c;
      ++at;
      continue;
    }
    const std::string place = "at its character " + std::to_string(at + 1) + ": ";
    if (c == '}') throw std::invalid_argument(place + "a brace closes nothing; a brace as such is written }}");
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) {
      throw std::invalid_argument(place + "a brace is not closed; a brace as such is written {{");
    }
    end_literal();
    try {
      out.push_back({.use = use, .placeholder = placeholder_of(text.substr(at + 1, end - at - 1))});
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(place + error.what());
    }
    at = end;
  }
  end_literal();
  return out;
}

Template Template::of_text(std::string_view text, Form form, Escape escape) {
  Template out;
  out.escape_ = escape;
  out.pieces_ = pieces_of(text, form == Form::text ? Use::text : form == Form::header ? Use::header : Use::url);
  return out;
}

void Template::append_literal(std::string_view text) {
  if (pieces_.empty() || pieces_.back().use != Use::literal) pieces_.push_back({.use = Use::literal});
  pieces_.back().literal += text;
}

// Walks the JSON of a template.
class Template::JsonCompiler {
 public:
  explicit JsonCompiler(Template& out) : out_(out) {}

  void add(const ordered_json& value, const std::string& place) {
    if (value.is_object()) {
      char before = '{';
      for (const auto& [key, member] : value.items()) {
        if (key.find('{') != std::string::npos) {
          throw std::invalid_argument("in the key \"" + http::shortened(key) + "\": placeholders stand in values only");
        }
        out_.append_literal(std::string(1, std::exchange(before, ',')));
        out_.append_literal(json_string(key));
        out_.append_literal(":");
        std::string below = place;
        below.append("/").append(key);
        add(member, below);
      }
      out_.append_literal(value.empty() ? "{}" : "}");
    } else if (value.is_array()) {
      char before = '[';
      std::size_t index = 0;
      for (const ordered_json& element : value) {
        out_.append_literal(std::string(1, std::exchange(before, ',')));
        add(element, place + '/' + std::to_string(index++));
      }
      out_.append_literal(value.empty() ? "[]" : "]");
    } else if (value.is_string()) {
      add_string(value.get_ref<const std::string&>(), place);
    } else {
      out_.append_literal(value.dump());
    }
  }

 private:
  void add_string(const std::string& text, const std::string& place) {
    std::vector<Piece> pieces;
    try {
      pieces = pieces_of(text, Use::json_text);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(place.empty() ? error.what() : "in " + place + ", " + error.what());
    }
    if (pieces.size() == 1 && pieces.front().use != Use::literal) {
      pieces.front().use = Use::json_value;
      out_.pieces_.push_back(std::move(pieces.front()));
      return;
    }
    out_.append_literal("\"");
    for (Piece& piece : pieces) {
      if (piece.use != Use::literal) {
        out_.pieces_.push_back(std::move(piece));
        continue;
      }
      std::string escaped;
      append_escaped(piece.literal, escaped);
      out_.append_literal(escaped);
    }
    out_.append_literal("\"");
  }

  Template& out_;
};

Template Template::of_json(std::string_view json, Escape escape) {
  if (nfbus::util::is_nested_deeper(json)) {
    throw std::invalid_argument("this is nested deeper than " + std::to_string(nfbus::util::kMostJsonLevels) +
                                " levels");
  }
  Template out;
  out.escape_ = escape;
  try {
    JsonCompiler(out).add(ordered_json::parse(json), {});
  } catch (const ordered_json::parse_error& error) {
    throw std::invalid_argument(explain(error, json));
  } catch (const ordered_json::exception& error) {
    throw std::invalid_argument(std::string("this is no JSON: ") + error.what());
  }
  return out;
}

bool Template::has_placeholders() const noexcept {
  return std::ranges::any_of(pieces_, [](const Piece& piece) { return piece.use != Use::literal; });
}

bool Template::depends_on_event() const {
  return std::ranges::any_of(pieces_, [](const Piece& piece) {
    return std::ranges::any_of(piece.placeholder.paths, [](const std::vector<std::string>& path) {
      return path != std::vector<std::string>{"id"} && path != std::vector<std::string>{"device"};
    });
  });
}

bool Template::asks_for(std::string_view name) const {
  return std::ranges::any_of(pieces_, [&](const Piece& piece) { return piece.placeholder.asks_for(name); });
}

void Template::append_body(const Piece& piece, std::string_view part, std::string& out) const {
  const bool is_text = part.starts_with('"');
  const bool escapes = escape_ == Escape::entities;
  std::string escaped;
  if (escapes && !is_text) part = escaped = with_entities_in_json(part);
  if (piece.use == Use::json_value && !(escapes && is_text)) {
    out += part.empty() ? "null" : part;
    return;
  }
  std::string text;
  append_text(part, text);
  if (escapes && is_text) text = with_entities(text);
  if (piece.use == Use::json_value) {
    out += json_string(text);
  } else if (piece.use == Use::json_text) {
    append_escaped(text, out);
  } else {
    out += text;
  }
}

bool Template::append(const Facts& facts, std::string& out) const {
  bool has_all = true;
  for (const Piece& piece : pieces_) {
    if (piece.use == Use::literal) {
      out += piece.literal;
      continue;
    }
    const std::string_view part = facts.find(piece.placeholder);
    if (piece.use != Use::header && piece.use != Use::url) {
      append_body(piece, part, out);
      continue;
    }
    std::string text;
    append_text(part, text);
    if (piece.use == Use::header) {
      append_header_value(text, out);
    } else {
      has_all = has_all && !text.empty();
      out += http::percent_encoded(text);
    }
  }
  return has_all;
}

}  // namespace webhook
