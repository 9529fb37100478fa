#include "config/syntax.hpp"

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

// The node that the keys of `names`, a chain of tables with one key each, lead to; of arrays of tables the last
// element.
const toml::table* last_table(const toml::table& root, const toml::table& names) {
  const toml::table* table = &root;
  const toml::table* name = &names;
  while (!name->empty()) {
    const auto& [key, next] = *name->begin();
    const toml::node* node = table->get(key.str());
    if (node == nullptr) return nullptr;
    if (const toml::array* array = node->as_array(); array != nullptr && !array->empty()) node = &array->back();
    table = node->as_table();
    const toml::node& below = next.is_array() && !next.as_array()->empty() ? next.as_array()->front() : next;
    name = below.as_table();
    if (table == nullptr || name == nullptr) return nullptr;
  }
  return table;
}

// The table that a key at the end of `text` belongs to: of the last header line.
const toml::table* open_table(const toml::table& root, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find_last_of('\n', text.size() - 1);
    const std::string_view line = end == std::string_view::npos ? text : text.substr(end + 1);
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos && line[first] == '[') {
      if (const auto names = try_parse(line)) return last_table(root, *names);
    }
    if (end == std::string_view::npos) break;
    text = text.substr(0, end);
  }
  return &root;
}

struct Definition {
  std::string path;  // as written
  toml::source_position place;
};

// Where `name`, as written in the second definition on `line`, was defined first. Looks at what stands before that
// line, which is TOML for all that the parser saw; not found within one inline table.
std::optional<Definition> first_definition(std::string_view text, unsigned line, const std::string& name,
                                           bool is_header) {
  const std::string_view before = text.substr(0, text.size() - from_line(text, line).size());
  const std::optional<toml::table> root = try_parse(before);
  const std::optional<toml::table> names = try_parse(name + " = 0");
  if (!root || !names) return std::nullopt;
  const toml::table* table = is_header ? &*root : open_table(*root, before);
  const toml::table* step = &*names;
  while (table != nullptr && !step->empty()) {
    const auto& [key, next] = *step->begin();
    const auto found = table->find(key.str());
    if (found == table->end()) return std::nullopt;
    if (!next.is_table()) {
      const bool from_header = found->second.is_table() && !found->second.as_table()->is_inline();
      return Definition{name, from_header ? found->second.source().begin : found->first.source().begin};
    }
    const toml::node* node = &found->second;
    if (const toml::array* array = node->as_array(); array != nullptr && !array->empty()) node = &array->back();
    table = node->as_table();
    step = next.as_table();
  }
  return std::nullopt;
}

// "cannot redefine existing integer 'a.b'" -> "a.b".
std::string redefined_name(std::string_view description) {
  const std::size_t mark = description.find("cannot redefine existing ");
  if (mark == std::string_view::npos) return {};
  const std::size_t begin = description.find('\'', mark);
  const std::size_t end = description.rfind('\'');
  if (begin == std::string_view::npos || end <= begin) return {};
  return std::string(description.substr(begin + 1, end - begin - 1));
}

std::string place_of(const toml::source_position& place) {
  return "line " + std::to_string(place.line) + ", column " + std::to_string(place.column);
}

std::string in_plain_words(std::string_view description) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kWords = {{
      {"could not determine value type", "this is not a TOML value; texts stand in quotes: key = \"text\""},
      {"expected '='", "expected KEY = VALUE"},
      {"encountered end-of-file", "the text ends before this is complete; a quote, bracket or value is missing"},
      {"invalid utf-8", "this is not UTF-8 text"},
      {"maximum nested value depth", "arrays and tables are nested more than 256 levels deep"},
      {"expected value, saw '\\n'", "the value is missing"},
      {"unescaped control characters",
       "a control character or line end inside of a string; is the closing quote missing?"},
  }};
  for (const auto& [mark, words] : kWords) {
    if (description.find(mark) != std::string_view::npos) return std::string(words);
  }
  constexpr std::string_view kLead = "Error while parsing ";
  if (description.starts_with(kLead)) description.remove_prefix(kLead.size());
  return "not TOML: " + std::string(description);
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
  Location where{file, place.line, place.column};
  const std::string name = redefined_name(error.description());
  if (name.empty()) return {.code = Code::invalid, .text = in_plain_words(error.description()), .where = where};

  const bool is_header = error.description().find("table header") != std::string_view::npos;
  std::string message = name + ": defined a second time";
  // toml++ points behind a key.
  const std::size_t behind = place.column - 1;
  const std::size_t begin = first_line(from_line(text, place.line)).substr(0, behind).rfind(name);
  if (!is_header && begin != std::string_view::npos) where.column = static_cast<unsigned>(begin + 1);
  if (const auto first = first_definition(text, place.line, name, is_header)) {
    message += "; first at " + place_of(first->place);
  }
  return {.code = Code::invalid, .text = std::move(message), .where = where};
}

}  // namespace nfbus::host
