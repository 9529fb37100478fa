#include "config/syntax.hpp"

#include "config/unquoted.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

constexpr unsigned kMostDots = 16;

// The text from the start of `line` (counted from 1) on.
std::string_view from_line(std::string_view text, unsigned line) {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text;
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

// The end of the string that starts at `begin`, behind its closing quotes.
std::size_t skip_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const std::string_view triple = quote == '"' ? R"(""")" : "'''";
  const bool multi_line = text.substr(begin, 3) == triple;
  for (std::size_t i = begin + (multi_line ? 3 : 1); i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (multi_line ? text.substr(i, 3) == triple : text[i] == quote) {
      return i + (multi_line ? 3 : 1);
    } else if (text[i] == '\n' && !multi_line) {
      return i;
    }
  }
  return text.size();
}

std::optional<toml::table> try_parse(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

// The last element of an array of tables, which is what later headers and keys refer to; else the node itself.
const toml::node* current(const toml::node* node) {
  const toml::array* array = node == nullptr ? nullptr : node->as_array();
  return array == nullptr || array->empty() ? node : &array->back();
}

// The keys of a name as it is written: "a.'b c'" -> a, b c.
std::vector<std::string> split(std::string_view name) {
  std::vector<std::string> keys;
  const auto parsed = try_parse(std::string(name) + " = 0");
  const toml::table* table = parsed ? &*parsed : nullptr;
  while (table != nullptr && !table->empty()) {
    const auto member = table->begin();
    keys.emplace_back(member->first.str());
    table = member->second.as_table();
  }
  return keys;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

// "a.b" of "[a.b]" or "[[a.b]]"; empty: the line is no header.
std::string_view header_name(std::string_view line) {
  line = trimmed(line);
  const std::size_t brackets = line.starts_with("[[") ? 2 : 1;
  const std::size_t end = line.find(']');
  if (!line.starts_with('[') || end == std::string_view::npos) return {};
  const std::string_view rest = trimmed(line.substr(std::min(end + brackets, line.size())));
  if (!rest.empty() && rest.front() != '#') return {};  // an element of an array
  return trimmed(line.substr(brackets, end - brackets));
}

struct OpenTable {
  const toml::table* table;  // null: not found
  std::string name;          // as written; empty: the root
};

// The table that a key at the end of `text` belongs to: that of the last header line.
OpenTable open_table(const toml::table& root, std::string_view text) {
  while (!text.empty()) {
    text = text.substr(0, text.find_last_not_of('\n') + 1);
    const std::size_t end = text.rfind('\n');
    std::string_view line = end == std::string_view::npos ? text : text.substr(end + 1);
    text = end == std::string_view::npos ? std::string_view() : text.substr(0, end);
    line = header_name(line);
    const std::vector<std::string> keys = split(line);
    if (keys.empty()) continue;  // an element of an array, not a header
    const toml::node* node = &root;
    for (const std::string& key : keys) {
      const toml::table* table = node == nullptr ? nullptr : node->as_table();
      node = table == nullptr ? nullptr : current(table->get(key));
    }
    return {.table = node == nullptr ? nullptr : node->as_table(), .name = std::string(line)};
  }
  return {.table = &root, .name = {}};
}

struct Definition {
  std::string table;                                // that `name` stands in; empty: the root
  std::optional<toml::source_position> first = {};  // unknown within one inline table
};

// Where `name`, as written in the second definition on `line`, was defined first. Looks at what stands before that
// line, which is TOML for all that the parser saw.
Definition first_definition(std::string_view text, unsigned line, const std::string& name, bool is_header) {
  const std::string_view before = text.substr(0, text.size() - from_line(text, line).size());
  const std::optional<toml::table> root = try_parse(before);
  if (!root) return {};
  const OpenTable open = is_header ? OpenTable{.table = &*root, .name = {}} : open_table(*root, before);
  Definition definition{.table = open.name};
  const toml::table* table = open.table;
  for (const std::string& key : split(name)) {
    if (table == nullptr) return definition;
    const auto found = table->find(key);
    if (found == table->end()) return definition;
    const toml::table* inner = found->second.as_table();
    const bool from_header = inner != nullptr && !inner->is_inline();
    definition.first = from_header ? inner->source().begin : found->first.source().begin;
    const toml::node* node = current(&found->second);
    table = node->as_table();
  }
  return definition;
}

// The name of a second definition as it is written, a part of `line`: toml++'s own message garbles quoted ones. Its
// place is that of the header, or some way behind the key.
std::string_view redefined_name(std::string_view line, std::size_t column, bool is_header) {
  if (is_header) return header_name(line);
  line = line.substr(0, column);
  line = line.substr(0, line.rfind('='));
  return trimmed(line.substr(line.find_last_of("{,") + 1));  // npos + 1 is 0
}

std::string place_of(const toml::source_position& place) {
  return "line " + std::to_string(place.line) + ", column " + std::to_string(place.column);
}

std::string in_plain_words(std::string_view description) {
  constexpr std::string_view kNoValue = "this is not a TOML value; texts stand in quotes: key = \"text\"";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kWords = {{
      {"could not determine value type", kNoValue},
      // Of what stands in their place toml++ would show line ends as they are.
      {"expected 'true'", kNoValue},
      {"expected 'false'", kNoValue},
      {"expected 'inf'", kNoValue},
      {"expected 'nan'", kNoValue},
      {"expected '='", "expected KEY = VALUE"},
      {"expected keys, tables", "expected [TABLE] or KEY = VALUE"},
      {"encountered end-of-file", "the text ends before this is complete; a quote, bracket or value is missing"},
      {"invalid utf-8", "this is not UTF-8 text"},
      {"maximum nested value depth", "arrays and tables are nested more than 256 levels deep"},
      {"expected value, saw '\\n'", "the value is missing"},
      {"control characters other than TAB",
       "a control character or line end inside of a string; is the closing quote missing?"},
  }};
  for (const auto& [mark, words] : kWords) {
    if (description.find(mark) != std::string_view::npos) return std::string(words);
  }
  constexpr std::string_view kLead = "Error while parsing ";
  if (description.starts_with(kLead)) description.remove_prefix(kLead.size());
  return "not TOML: " + std::string(description);
}

// toml++ counts characters.
std::size_t byte_column(std::string_view line, std::size_t column) {
  std::size_t at = 0;
  for (; at < line.size(); ++at) {
    if ((static_cast<unsigned char>(line[at]) & 0xC0U) != 0x80U && --column == 0) break;
  }
  return at + 1;
}

}  // namespace

std::optional<Error> find_deep_key(std::string_view text, const std::string& file) {
  unsigned dots = 0;
  unsigned line = 1;
  std::size_t line_begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      const std::size_t end = skip_string(text, i);
      for (; i < end; ++i) {
        if (text[i] != '\n') continue;
        ++line;
        line_begin = i + 1;
      }
      continue;
    }
    if (c == '#') {
      i += first_line(text.substr(i)).size();
      continue;
    }
    if (c == '.' && ++dots > kMostDots) {
      return Error{.code = Code::invalid,
                   .text = "more than " + std::to_string(kMostDots) + " dots in one key",
                   .where = Location{file, line, static_cast<unsigned>(i - line_begin + 1)}};
    }
    if (std::string_view("=,{}[]\n").find(c) != std::string_view::npos) dots = 0;
    ++i;
    if (c == '\n') {
      ++line;
      line_begin = i;
    }
  }
  return std::nullopt;
}

Error explain_syntax_error(const toml::parse_error& error, std::string_view text, const std::string& file) {
  const toml::source_position place = error.source().begin;
  const std::string_view description = error.description();
  Location where{file, place.line, place.column};
  const std::string_view line = first_line(from_line(text, place.line));
  if (description.find("cannot redefine existing ") == std::string_view::npos || line.size() < place.column) {
    if (auto corrected = correct_line(line, byte_column(line, place.column), description)) {
      where.column = corrected->column;
      return {.code = Code::invalid, .text = std::move(corrected->text), .where = where};
    }
    return {.code = Code::invalid, .text = in_plain_words(description), .where = where};
  }
  const bool is_header = description.find("table header") != std::string_view::npos;
  // Within a dotted key toml++ points to the part that cannot be one; else behind the key.
  const bool inside = description.ends_with("as dotted key-value pair");
  const std::size_t column = inside ? std::min(line.find('=', place.column - 1), line.size()) + 1 : place.column;
  const std::string name(redefined_name(line, column, is_header));
  const std::size_t begin = line.substr(0, line.substr(0, column).rfind('=')).rfind(name);
  if (!is_header && begin != std::string_view::npos) where.column = static_cast<unsigned>(begin + 1);
  const Definition definition = first_definition(text, place.line, name, is_header);
  std::string message = definition.table.empty() ? name : definition.table + '.' + name;
  message += ": defined a second time";
  if (definition.first) message += "; first at " + place_of(*definition.first);
  return {.code = Code::invalid, .text = std::move(message), .where = where};
}

}  // namespace nfbus::host
