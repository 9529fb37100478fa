#include "bus/server/wire_line.hpp"

#include "formats/json_writer.hpp"
#include "support/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace nfbus::host {

namespace {

// encoding/json ends at this many brackets inside of each other.
constexpr std::size_t kMostNested = 10000;
constexpr std::string_view kSubscribe = "subscribe:";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::uint32_t hex_value(char c) noexcept {
  return static_cast<std::uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
}

// The four digits of \uXXXX at the beginning of `text`.
std::uint32_t code_unit(std::string_view text) noexcept {
  std::uint32_t unit = 0;
  for (const char digit : text.substr(0, 4)) unit = unit << 4U | hex_value(digit);
  return unit;
}

bool is_surrogate(std::uint32_t unit) noexcept { return unit >= 0xd800 && unit <= 0xdfff; }

void append_utf8(std::uint32_t code_point, std::string& out) {  // RFC 3629, section 3
  const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
  if (code_point < 0x80) return byte(code_point);
  if (code_point < 0x800) {
    byte(0xc0U | code_point >> 6U);
  } else {
    if (code_point < 0x10000) {
      byte(0xe0U | code_point >> 12U);
    } else {
      byte(0xf0U | code_point >> 18U);
      byte(0x80U | (code_point >> 12U & 0x3fU));
    }
    byte(0x80U | (code_point >> 6U & 0x3fU));
  }
  byte(0x80U | (code_point & 0x3fU));
}

// Decodes the escape behind a backslash and returns how many bytes of `text` it took.
std::size_t decode_escape(std::string_view text, std::string& out) {
  switch (text.front()) {
    case 'b': out += '\b'; return 1;
    case 'f': out += '\f'; return 1;
    case 'n': out += '\n'; return 1;
    case 'r': out += '\r'; return 1;
    case 't': out += '\t'; return 1;
    case 'u': break;
    default: out += text.front(); return 1;
  }
  const std::uint32_t unit = code_unit(text.substr(1));
  if (!is_surrogate(unit)) {
    append_utf8(unit, out);
    return 5;
  }
  if (unit < 0xdc00 && text.substr(5).starts_with("\\u")) {
    const std::uint32_t low = code_unit(text.substr(7));
    if (low >= 0xdc00 && low <= 0xdfff) {
      append_utf8(0x10000 + ((unit - 0xd800) << 10U) + (low - 0xdc00), out);
      return 11;
    }
  }
  out += kReplacementCharacter;
  return 5;
}

// "answer" with each letter written as \\uXXXX: no key that counts is longer.
constexpr std::size_t kMostKeyBytes = 36;

// The two characters beyond ASCII that encoding/json takes for letters (unicode.SimpleFold), in UTF-8.
constexpr std::string_view kLongS = "\xc5\xbf";
constexpr std::string_view kKelvinSign = "\xe2\x84\xaa";

// Makes equal what encoding/json takes for the same key.
void fold_case(std::string& key) {
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] >= 'A' && key[i] <= 'Z') key[i] = static_cast<char>(key[i] | 0x20);
    if (key.compare(i, kLongS.size(), kLongS) == 0) key.replace(i, kLongS.size(), "s");
    if (key.compare(i, kKelvinSign.size(), kKelvinSign) == 0) key.replace(i, kKelvinSign.size(), "k");
  }
}

// What stands between the quotes of a string.
std::string_view inside_of(std::string_view string) noexcept { return string.substr(1, string.size() - 2); }

bool is_ascii_without_escapes(std::string_view inside) noexcept {
  return std::none_of(inside.begin(), inside.end(), [](char c) { return c == '\\' || (c & 0x80) != 0; });
}

}  // namespace

void decode_string(std::string_view inside, std::string& out) {
  while (!inside.empty()) {
    const char first = inside.front();
    std::size_t used = 1;
    if (first == '\\') {
      used += decode_escape(inside.substr(1), out);
    } else if ((first & 0x80) == 0) {
      while (used < inside.size() && inside[used] != '\\' && (inside[used] & 0x80) == 0) ++used;
      out += inside.substr(0, used);
    } else {
      const Utf8Sequence sequence = utf8_sequence(inside);
      used = sequence.size;
      out += sequence.valid ? inside.substr(0, used) : kReplacementCharacter;
    }
    inside.remove_prefix(used);
  }
}

WireLine WireScanner::scan(std::string_view line) {
  text_ = line;
  at_ = 0;
  seen_ = 0;
  WireLine out;
  out.kind = WireLine::Kind::publish;
  const auto broken = [] { return WireLine{}; };
  skip_space();
  if (!take('{')) return broken();
  skip_space();
  if (!take('}')) {
    for (;;) {
      if (!read_member(out)) return broken();
      skip_space();
      if (take('}')) break;
      if (!take(',')) return broken();
      skip_space();
    }
  }
  skip_space();
  if (at_ != text_.size()) return broken();
  if (!out.repeated.empty()) out.kind = WireLine::Kind::ambiguous;
  if (out.kind == WireLine::Kind::publish && out.topic.starts_with(kSubscribe)) {
    out.kind = WireLine::Kind::subscribe;
    out.topic.remove_prefix(kSubscribe.size());
  }
  return out;
}

bool WireScanner::read_member(WireLine& out) {
  std::string_view inside;
  if (!skip_string(inside)) return false;
  skip_space();
  if (!take(':')) return false;
  skip_space();
  const std::size_t begin = at_;
  if (!skip_value()) return false;
  const Key key = key_of(inside);
  if (key != Key::other) keep(key, text_.substr(begin, at_ - begin), out);
  return true;
}

WireScanner::Key WireScanner::key_of(std::string_view inside) {
  struct Name {
    std::string_view text;
    Key key;
  };
  static constexpr std::array<Name, 6> kNames{{{"topic", Key::topic},
                                               {"value", Key::value},
                                               {"format", Key::format},
                                               {"match", Key::match},
                                               {"marker", Key::marker},
                                               {"answer", Key::answer}}};
  if (inside.size() > kMostKeyBytes) return Key::other;
  key_.clear();
  decode_string(inside, key_);
  fold_case(key_);
  const auto* const found =
      std::find_if(kNames.begin(), kNames.end(), [&](const Name& name) { return name.text == key_; });
  return found == kNames.end() ? Key::other : found->key;
}

void WireScanner::keep(Key key, std::string_view json, WireLine& out) {
  const auto bit = static_cast<std::uint8_t>(key);
  const bool repeated = (seen_ & bit) != 0;
  seen_ |= bit;
  std::string_view name;
  switch (key) {
    case Key::topic:
      name = "topic";
      keep_topic(json, out);
      break;
    case Key::value:
      name = "value";
      if (json.starts_with('"')) {
        out.value = inside_of(json);
      } else if (out.kind == WireLine::Kind::publish) {
        out.kind = WireLine::Kind::wrong_value;
      }
      break;
    case Key::format:
      name = "format";
      out.format = json;
      break;
    case Key::match:
      name = "match";
      out.match = json;
      break;
    case Key::marker:
      name = "marker";
      out.marker = json;
      break;
    case Key::answer:
      name = "answer";
      out.wants_answer = out.wants_answer || json == "true";
      break;
    case Key::other: break;
  }
  if (repeated) out.repeated = name;
}

void WireScanner::keep_topic(std::string_view json, WireLine& out) {
  if (!json.starts_with('"')) {
    // Go leaves a string alone where it finds null.
    if (json != "null") out.kind = WireLine::Kind::wrong_topic;
    return;
  }
  const std::string_view inside = inside_of(json);
  if (is_ascii_without_escapes(inside)) {
    out.topic = inside;
    return;
  }
  topic_.clear();
  decode_string(inside, topic_);
  out.topic = topic_;
}

void WireScanner::skip_space() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) {
    ++at_;
  }
}

bool WireScanner::take(char expected) {
  if (at_ == text_.size() || text_[at_] != expected) return false;
  ++at_;
  return true;
}

bool WireScanner::skip_string(std::string_view& inside) {
  if (!take('"')) return false;
  const std::size_t begin = at_;
  for (;;) {
    std::uint64_t chunk = 0;
    while (text_.size() - at_ >= sizeof chunk) {
      std::memcpy(&chunk, text_.data() + at_, sizeof chunk);
      if (!json::detail::is_plain(chunk)) break;
      at_ += sizeof chunk;
    }
    if (at_ == text_.size()) return false;
    const char c = text_[at_++];
    if (c == '"') break;
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c != '\\') continue;
    if (at_ == text_.size()) return false;
    const char escape = text_[at_++];
    if (escape == 'u') {
      if (text_.size() - at_ < 4 || !std::all_of(text_.data() + at_, text_.data() + at_ + 4, is_hex)) return false;
      at_ += 4;
    } else if (std::string_view(R"("\/bfnrt)").find(escape) == std::string_view::npos) {
      return false;
    }
  }
  inside = text_.substr(begin, at_ - 1 - begin);
  return true;
}

bool WireScanner::skip_digits() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  return at_ != begin;
}

bool WireScanner::skip_number() {  // RFC 8259, section 6
  take('-');
  if (!take('0') && !skip_digits()) return false;
  if (take('.') && !skip_digits()) return false;
  if (!take('e') && !take('E')) return true;
  if (!take('+')) take('-');
  return skip_digits();
}

bool WireScanner::skip_literal(std::string_view literal) {
  if (!text_.substr(at_).starts_with(literal)) return false;
  at_ += literal.size();
  return true;
}

bool WireScanner::skip_scalar() {
  if (at_ == text_.size()) return false;
  std::string_view inside;
  switch (text_[at_]) {
    case '"': return skip_string(inside);
    case 't': return skip_literal("true");
    case 'f': return skip_literal("false");
    case 'n': return skip_literal("null");
    default: return skip_number();
  }
}

bool WireScanner::skip_key() {
  std::string_view inside;
  skip_space();
  if (!skip_string(inside)) return false;
  skip_space();
  return take(':');
}

// Closes what ends here, or reads on to the next element of what does not.
bool WireScanner::close_containers() {
  while (!open_.empty()) {
    skip_space();
    if (take(',')) return open_.back() != '{' || skip_key();
    if (!take(open_.back() == '{' ? '}' : ']')) return false;
    open_.pop_back();
  }
  return true;
}

// Opens a container and reads on to its first element; false when it is broken or too deep.
bool WireScanner::open_container(char bracket) {
  open_ += bracket;
  if (open_.size() >= kMostNested) return false;  // with the line's own
  skip_space();
  if (at_ == text_.size()) return false;
  return text_[at_] == '}' || text_[at_] == ']' || bracket == '[' || skip_key();
}

bool WireScanner::skip_value() {
  open_.clear();
  do {
    skip_space();
    if (at_ == text_.size()) return false;
    const char first = text_[at_];
    if (first == '{' || first == '[') {
      ++at_;
      if (!open_container(first)) return false;
      if (text_[at_ - 1] == ':' || (text_[at_] != '}' && text_[at_] != ']')) continue;
    } else if (!skip_scalar()) {
      return false;
    }
    if (!close_containers()) return false;
  } while (!open_.empty());
  return true;
}

}  // namespace nfbus::host
