#include "json_parts.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace webhook {
namespace {

// The host carries nothing that is nested deeper as JSON; a bound of the stack all the same.
constexpr int kMostLevels = 128;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

void append_utf8(std::uint32_t point, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0U | point >> 6U);
    put(0x80U | (point & 0x3fU));
  } else if (point < 0x10000) {
    put(0xe0U | point >> 12U);
    put(0x80U | (point >> 6U & 0x3fU));
    put(0x80U | (point & 0x3fU));
  } else {
    put(0xf0U | point >> 18U);
    put(0x80U | (point >> 12U & 0x3fU));
    put(0x80U | (point >> 6U & 0x3fU));
    put(0x80U | (point & 0x3fU));
  }
}

// Four hex digits behind "\u".
std::optional<std::uint32_t> unit_at(std::string_view text, std::size_t at) {
  std::uint32_t unit = 0;
  if (at + 4 > text.size()) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, unit, 16);
  if (error != std::errc() || end != text.data() + at + 4) return std::nullopt;
  return unit;
}

// Appends the character of the escape whose letter is text[at]; returns where the next one begins. RFC 8259, section 7.
std::size_t append_unescaped(std::string_view text, std::size_t at, std::string& out) {
  switch (text[at]) {
    case 'b': out += '\b'; return at + 1;
    case 'f': out += '\f'; return at + 1;
    case 'n': out += '\n'; return at + 1;
    case 'r': out += '\r'; return at + 1;
    case 't': out += '\t'; return at + 1;
    case 'u': break;
    default: out += text[at]; return at + 1;
  }
  const auto first = unit_at(text, at + 1);
  at += 5;
  if (first && (*first < 0xd800 || *first > 0xdfff)) {
    append_utf8(*first, out);
    return at;
  }
  if (first && *first < 0xdc00 && text.substr(std::min(at, text.size())).starts_with("\\u")) {
    if (const auto second = unit_at(text, at + 2); second && *second >= 0xdc00 && *second <= 0xdfff) {
      append_utf8(0x10000 + ((*first - 0xd800) << 10U) + (*second - 0xdc00), out);
      return at + 6;
    }
  }
  out += kReplacement;  // half of a pair
  return std::min(at, text.size());
}

// Reads RFC 8259's grammar from the beginning to the end, and keeps only what the path leads to.
class Reader {
 public:
  Reader(std::string_view text, std::span<const std::string> path) : text_(text), path_(path) {}

  std::string_view run() {
    if (!value(0, true)) return {};
    skip_blanks();
    return at_ == text_.size() ? found_ : std::string_view();
  }

 private:
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char wanted) {
    if (here() != wanted) return false;
    ++at_;
    return true;
  }

  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  // on_path: its place is what the first `level` steps of the path lead to.
  bool value(std::size_t level, bool on_path) {
    skip_blanks();
    if (++levels_ > kMostLevels) return false;
    const std::size_t begin = at_;
    bool good = false;
    switch (here()) {
      case '{': good = object(level, on_path); break;
      case '[': good = array(level, on_path); break;
      case '"': good = string(); break;
      case 't': good = word("true"); break;
      case 'f': good = word("false"); break;
      case 'n': good = word("null"); break;
      default: good = number(); break;
    }
    --levels_;
    if (good && on_path && level == path_.size()) found_ = text_.substr(begin, at_ - begin);
    return good;
  }

  bool object(std::size_t level, bool on_path) {
    ++at_;
    skip_blanks();
    if (take('}')) return true;
    do {
      skip_blanks();
      const std::size_t begin = at_;
      if (!string()) return false;
      const bool is_next = on_path && level < path_.size() && is_key(text_.substr(begin, at_ - begin), path_[level]);
      if (is_next) found_ = {};  // the last of equal keys counts
      skip_blanks();
      if (!take(':') || !value(level + 1, is_next)) return false;
      skip_blanks();
    } while (take(','));
    return take('}');
  }

  bool array(std::size_t level, bool on_path) {
    ++at_;
    skip_blanks();
    if (take(']')) return true;
    std::size_t index = 0;
    do {
      const bool is_next = on_path && level < path_.size() && path_[level] == std::to_string(index);
      if (!value(level + 1, is_next)) return false;
      skip_blanks();
      ++index;
    } while (take(','));
    return take(']');
  }

  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      const char escape = here();
      if (std::string_view(R"("\/bfnrtu)").find(escape) == std::string_view::npos) return false;
      if (escape == 'u' && !unit_at(text_, at_ + 1)) return false;
      ++at_;
    }
    return false;
  }

  bool word(std::string_view wanted) {
    if (!text_.substr(at_).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }

  bool digits() {
    const std::size_t begin = at_;
    while (here() >= '0' && here() <= '9') ++at_;
    return at_ != begin;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (here() == 'e' || here() == 'E') {
      ++at_;
      if (here() == '+' || here() == '-') ++at_;
      return digits();
    }
    return true;
  }

  static bool is_key(std::string_view quoted, const std::string& key) {
    const std::string_view inside = quoted.substr(1, quoted.size() - 2);
    if (inside.find('\\') == std::string_view::npos) return inside == key;
    std::string text;
    append_inside(inside, text);
    return text == key;
  }

  const std::string_view text_;
  const std::span<const std::string> path_;
  std::size_t at_ = 0;
  int levels_ = 0;
  std::string_view found_;
};

// The length of the UTF-8 character that a text begins with; 0: it begins with none. RFC 3629, section 4.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t at) -> unsigned {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const auto continues = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i <= to; ++i) {
      if ((byte(i) & 0xc0U) != 0x80U) return false;
    }
    return true;
  };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1, 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool is_shortest = first != 0xe0 || second >= 0xa0;
    const bool is_no_surrogate = first != 0xed || second <= 0x9f;
    return is_shortest && is_no_surrogate && continues(1, 2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool is_in_range = (first != 0xf0 || second >= 0x90) && (first != 0xf4 || second <= 0x8f);
    return is_in_range && continues(1, 3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string_view find_part(std::string_view json, std::span<const std::string> path) {
  return Reader(json, path).run();
}

void append_inside(std::string_view inside, std::string& out) {
  for (std::size_t at = 0; at < inside.size();) {
    const std::size_t escape = inside.find('\\', at);
    out += inside.substr(at, escape - at);
    if (escape == std::string_view::npos || escape + 1 >= inside.size()) return;
    at = append_unescaped(inside, escape + 1, out);
  }
}

void append_text(std::string_view part, std::string& out) {
  if (part == "null") return;
  if (part.size() < 2 || part.front() != '"') {
    out += part;
    return;
  }
  append_inside(part.substr(1, part.size() - 2), out);
}

void append_escaped(std::string_view text, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text.substr(at));
    if (size != 1) {
      out += size == 0 ? kReplacement : text.substr(at, size);
      at += size == 0 ? 1 : size;
      continue;
    }
    const char c = text[at++];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xfU];
    } else {
      out += c;
    }
  }
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  append_escaped(text, out);
  out += '"';
  return out;
}

}  // namespace webhook
