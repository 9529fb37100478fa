#include "condition_node.hpp"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace rules {
namespace {

constexpr std::size_t kMostBytes = 4096;
constexpr std::size_t kMostBrackets = 32;

HeaderField header_field_of(const std::vector<std::string>& path) {
  constexpr std::array<std::pair<std::string_view, HeaderField>, 9> kFields = {{
      {"IP.SrcIP", HeaderField::source},
      {"IP.DstIP", HeaderField::destination},
      {"TCP.SrcPort", HeaderField::tcp_source_port},
      {"TCP.DstPort", HeaderField::tcp_destination_port},
      {"UDP.SrcPort", HeaderField::udp_source_port},
      {"UDP.DstPort", HeaderField::udp_destination_port},
      {"InDev", HeaderField::in_name},
      {"OutDev", HeaderField::out_name},
      {"Action", HeaderField::action},
  }};
  std::string whole;
  for (const std::string& key : path) whole += (whole.empty() ? "" : ".") + key;
  for (const auto& [name, field] : kFields) {
    if (name == whole) return field;
  }
  return HeaderField::none;
}

bool is_name_start(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

class Parser {
 public:
  explicit Parser(std::string_view text) noexcept : text_(text) {}

  Condition::Node parse() {
    expect("$", "begins with \"$[?(\"");
    expect("[", "begins with \"$[?(\"");
    expect("?", "begins with \"$[?(\"");
    Condition::Node root = parse_any();
    expect("]", "ends with \")]\"");
    skip_blanks();
    if (at_ != text_.size()) fail(rest(), "behind the condition is beyond what is understood here");
    return root;
  }

 private:
  [[nodiscard]] std::string rest() const {
    constexpr std::size_t kMostShown = 24;
    return std::string(text_.substr(at_, kMostShown));
  }
  [[noreturn]] void fail(const std::string& what, const std::string& why) const {
    throw std::invalid_argument((what.empty() ? "the end" : in_quotes(what)) + " (column " + std::to_string(at_ + 1) +
                                ") " + why);
  }
  void skip_blanks() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool take(std::string_view token) noexcept {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token, const char* rule) {
    if (!take(token)) fail(rest(), std::string("is not what is due here: a condition ") + rule);
  }

  Condition::Node parse_any() { return parse_joined("||", Condition::Node::Kind::any, &Parser::parse_all); }
  Condition::Node parse_all() { return parse_joined("&&", Condition::Node::Kind::all, &Parser::parse_one); }
  Condition::Node parse_joined(std::string_view token, Condition::Node::Kind kind,
                               Condition::Node (Parser::*parse_part)()) {
    Condition::Node first = (this->*parse_part)();
    if (!take(token)) return first;
    Condition::Node node{.kind = kind};
    node.parts.push_back(std::move(first));
    do {
      node.parts.push_back((this->*parse_part)());
    } while (take(token));
    return node;
  }

  Condition::Node parse_one() {
    if (!take("(")) return parse_comparison();
    if (++brackets_ > kMostBrackets) fail("(", "is nested too deep");
    Condition::Node node = parse_any();
    expect(")", "has a \")\" for each \"(\"");
    --brackets_;
    return node;
  }

  Condition::Node parse_comparison() {
    if (!take("@"))
      fail(rest(), "is not understood here: a comparison is @.PATH, ==, !=, <, <=, >, >= or =~, a constant");
    Condition::Node node;
    while (true) {
      if (at_ < text_.size() && text_[at_] == '.') {
        ++at_;
        node.path.push_back(take_name());
      } else if (at_ < text_.size() && text_[at_] == '[') {
        ++at_;
        node.path.push_back(take_index());
      } else {
        break;
      }
    }
    if (node.path.empty()) fail(rest(), "is no path: write @.NAME");
    node.header_field = header_field_of(node.path);
    node.comparison = take_comparison();
    node.constant = take_constant();
    if (node.comparison != Comparison::matches) return node;
    const auto* const expression = std::get_if<std::string>(&node.constant);
    if (expression == nullptr) fail(rest(), "stands behind =~, which takes a text");
    node.pattern.emplace(*expression);
    return node;
  }

  std::string take_name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_name_start(text_[at_]) || (at_ != begin && is_digit(text_[at_])))) ++at_;
    if (at_ == begin) fail(rest(), "is no name of a field");
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string take_index() {
    skip_blanks();
    std::string key;
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      key = take_text();
    } else {
      const std::size_t begin = at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ == begin) fail(rest(), "is neither a name in quotes nor a number");
      key = text_.substr(begin, at_ - begin);
    }
    expect("]", R"(has a "]" for each "[")");
    return key;
  }

  Comparison take_comparison() {
    constexpr std::array<std::pair<std::string_view, Comparison>, 7> kComparisons = {{
        {"==", Comparison::equal},
        {"!=", Comparison::unequal},
        {"=~", Comparison::matches},
        {"<=", Comparison::less_or_equal},
        {">=", Comparison::greater_or_equal},
        {"<", Comparison::less},
        {">", Comparison::greater},
    }};
    for (const auto& [token, comparison] : kComparisons) {
      if (take(token)) return comparison;
    }
    fail(rest(), "is not understood here: a path is compared by ==, !=, <, <=, >, >= or =~");
  }

  Constant take_constant() {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) return take_text();
    if (take_word("true")) return true;
    if (take_word("false")) return false;
    if (take_word("null") || take_word("nil")) return std::monostate();
    double number = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
    if (error != std::errc() || (!is_digit(*begin) && *begin != '-')) {
      fail(rest(), "is no constant: a text in quotes, a number, true, false or null");
    }
    at_ += static_cast<std::size_t>(end - begin);
    return number;
  }
  bool take_word(std::string_view word) noexcept {
    const std::size_t end = at_ + word.size();
    if (!text_.substr(at_).starts_with(word)) return false;
    if (end < text_.size() && (is_name_start(text_[end]) || is_digit(text_[end]))) return false;
    at_ = end;
    return true;
  }

  // With the escapes of JSON; in '...' it may hold ".
  std::string take_text() {
    const char quote = text_[at_];
    std::string as_json = "\"";
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == quote) {
        as_json += '"';
        const Json parsed = Json::parse(as_json, nullptr, false);
        if (!parsed.is_string()) fail(rest(), "has an escape that JSON does not know");
        at_ = i + 1;
        return parsed.get<std::string>();
      }
      if (text_[i] == '\\' && i + 1 < text_.size()) {
        if (text_[i + 1] != '\'') as_json += '\\';
        as_json += text_[++i];
      } else {
        if (text_[i] == '"') as_json += '\\';
        as_json += text_[i];
      }
    }
    fail(rest(), "has no quote behind it");
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t brackets_ = 0;
};

}  // namespace

Condition::Node parse_condition(std::string_view text) {
  if (text.size() > kMostBytes) {
    throw std::invalid_argument("is longer than " + std::to_string(kMostBytes) + " bytes");
  }
  return Parser(text).parse();
}

}  // namespace rules
