// The text form of a match, for command lines: read into a table, whose faults are then shown by column.
#include "match/keys.hpp"
#include "match/match.hpp"
#include "support/json_text.hpp"
#include "support/utf8.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = 65536;

struct TextFault {
  std::size_t column;
  std::string text;
};

// Where a condition and the elements of its list begin.
struct Columns {
  std::size_t key = 0;
  std::vector<std::size_t> elements;
};

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  // What is wrong with the form; then nothing else is of use.
  std::optional<TextFault> read() {
    for (skip_blanks(); at_ < text_.size() && !fault_; skip_blanks()) read_condition();
    if (!fault_ && columns_.empty()) fail(0, "there is no condition; write KEY=VALUE, such as dst=10.0.0.0/8");
    return fault_;
  }

  [[nodiscard]] const json& table() const { return table_; }
  [[nodiscard]] std::size_t column_of(const MatchFault& fault) const {
    const auto found = columns_.find(fault.key);
    if (found == columns_.end()) return 1;
    const Columns& columns = found->second;
    return fault.about_key ? columns.key : columns.elements.at(fault.element.value_or(0));
  }

 private:
  [[nodiscard]] bool more() const noexcept { return at_ < text_.size(); }

  void skip_blanks() noexcept {
    while (more() && is_blank(text_[at_])) ++at_;
  }

  void fail(std::size_t at, std::string text) {
    if (!fault_) fault_ = TextFault{.column = at + 1, .text = std::move(text)};
  }

  void read_condition() {
    const std::size_t begin = at_;
    while (more() && text_[at_] != '=' && !is_blank(text_[at_])) ++at_;
    std::string key(text_.substr(begin, at_ - begin));
    if (!more() || text_[at_] != '=' || key.empty() || key == "!") {
      return fail(begin, shown(json(key)) + ": expected KEY=VALUE or !KEY=VALUE, without blanks around the =");
    }
    if (key.size() > 1 && key.ends_with('!')) {
      key.pop_back();
      return fail(begin, fmt::format("{}: a negated condition is written !{}=VALUE", shown(json(key)), key));
    }
    if (columns_.contains(key)) {
      return fail(begin, fmt::format("{} stands here twice; write a list: {}=A,B", shown(json(key)), key));
    }
    ++at_;
    Columns columns{.key = begin + 1, .elements = {}};
    json list = read_list(columns);
    if (is_flags(key)) list = joined(list);
    table_[key] = std::move(list);
    columns_.emplace(std::move(key), std::move(columns));
  }

  json read_list(Columns& columns) {
    json list = json::array();
    for (;;) {
      columns.elements.push_back(at_ + 1);
      const std::size_t begin = at_;
      std::string element = read_element();
      if (at_ == begin) fail(begin, "expected a value; an empty one is written \"\"");
      list.push_back(std::move(element));
      if (fault_ || !more() || text_[at_] != ',') return list;
      ++at_;
    }
  }

  // Up to a comma, a blank or the end.
  std::string read_element() {
    std::string element;
    while (more() && text_[at_] != ',' && !is_blank(text_[at_]) && !fault_) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        read_quoted(element);
      } else {
        read_byte(element, true);
      }
    }
    return element;
  }

  void read_quoted(std::string& element) {
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    while (more() && text_[at_] != quote) read_byte(element, quote == '"');
    if (!more()) return fail(begin, fmt::format("the {} that opens here is not closed", quote));
    ++at_;
  }

  void read_byte(std::string& element, bool escapes) {
    if (escapes && text_[at_] == '\\' && ++at_ == text_.size()) {
      return fail(at_ - 1, "a backslash at the end; it takes the next character as it is");
    }
    element += text_[at_++];
  }

  static bool is_flags(std::string_view key) {
    const Key* const known = find_key(key.starts_with('!') ? key.substr(1) : key);
    return known != nullptr && known->type == ValueType::tcp_flags;
  }

  static json joined(const json& list) {
    std::string text;
    for (const json& element : list) {
      if (!text.empty()) text += ',';
      text += element.get_ref<const std::string&>();
    }
    return text;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  json table_ = json::object();
  std::map<std::string, Columns> columns_;
  std::optional<TextFault> fault_;
};

Error at_column(std::size_t column, std::string_view text) {
  return {.code = Code::invalid, .text = fmt::format("column {}: {}", column, text)};
}

struct CompiledText {
  MatchSet matches;
  nlohmann::json table;
};

Result<CompiledText> compile_text(std::string_view text, const KnownFields& known, MatchLimits limits) {
  if (text.size() > kMostBytes) return at_column(1, fmt::format("a match is at most {} bytes", kMostBytes));
  TextReader reader(text);
  if (const auto fault = reader.read()) return at_column(fault->column, fault->text);
  CompiledMatch compiled = compile_match(reader.table(), known, limits);
  if (compiled.faults.empty()) return CompiledText{std::move(compiled.matches), reader.table()};
  const auto first = std::min_element(
      compiled.faults.begin(), compiled.faults.end(),
      [&](const MatchFault& a, const MatchFault& b) { return reader.column_of(a) < reader.column_of(b); });
  const std::size_t column = reader.column_of(*first);
  first->element.reset();  // the column says it
  return at_column(column, to_string(*first));
}

}  // namespace

Result<MatchSet> compile_match_text(std::string_view text, const KnownFields& known) {
  auto compiled = compile_text(text, known, kConfiguredMatch);
  if (!compiled) return std::move(compiled).error();
  return std::move(compiled->matches);
}

Result<nlohmann::json> match_table_of_text(std::string_view text, const KnownFields& known) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Sequence sequence = next_sequence(text.substr(at));
    if (!sequence.valid) return at_column(at + 1, "this is no UTF-8");
    at += sequence.size;
  }
  auto compiled = compile_text(text, known, kClientMatch);
  if (!compiled) return std::move(compiled).error();
  return std::move(compiled->table);
}

}  // namespace nfbus::host
