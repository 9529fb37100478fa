#include "message_template.hpp"

#include "text.hpp"

#include <charconv>
#include <cstddef>
#include <stdexcept>

namespace rules {
namespace {

// Control characters stand neither in templates nor in values.
constexpr char kCountMark = '\x01';
constexpr char kWindowMark = '\x02';

bool is_word(std::string_view text) noexcept {
  for (const char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && (c < '0' || c > '9') && c != '_' && c != '.') return false;
  }
  return !text.empty();
}

// As people read it: texts without quotes. False: it is an object or an array, or nothing.
bool append_scalar(const Json& value, std::string& out) {
  if (value.is_string()) {
    append_clean(out, value.get_ref<const std::string&>());
    return true;
  }
  if (value.is_structured() || value.is_null()) return false;
  out += value.dump();
  return true;
}

// "10.0.0.2:53", "[2001:db8::1]:53" and "2001:db8::1" without the port.
std::string_view address_of(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos ? text.substr(0, colon)
                                                                                                : text;
}

// What stands between `{{` and `}}`. False: it stays.
bool fill_place(std::string_view place, const Json& event, const NameOf& name_of, std::string& out) {
  const std::size_t hash = place.find('#');
  const std::string_view path = place.substr(0, hash);
  const std::string_view tag = hash == std::string_view::npos ? std::string_view() : place.substr(hash + 1);
  if (!is_word(path) || (hash != std::string_view::npos && !is_word(tag))) return false;
  const Json* const value = find_path(event, path);
  if (value == nullptr) return false;
  if (tag.starts_with("Device") && name_of && value->is_string()) {
    const auto& address = value->get_ref<const std::string&>();
    std::string name = name_of(address);
    if (name.empty()) name = name_of(address_of(address));
    append_clean(out, name.empty() ? address : name);
    return true;
  }
  return append_scalar(*value, out);
}

}  // namespace

MessageTemplate::MessageTemplate(std::string_view text, Lines lines, const nfbus::Host& host) {
  if (!is_clean(text, lines == Lines::several)) {
    throw std::invalid_argument(lines == Lines::one ? "control characters and line ends have no place in it"
                                                    : "control characters other than line ends have no place in it");
  }
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) parts_.emplace_back(std::move(literal));
    literal.clear();
  };
  while (!text.empty()) {
    const std::size_t brace = text.find_first_of("{}");
    literal += text.substr(0, brace);
    if (brace == std::string_view::npos) break;
    text.remove_prefix(brace);
    if (text.starts_with("{{") || text.starts_with("}}") || text.front() == '}') {
      literal += text.front();
      text.remove_prefix(text.size() > 1 && text[1] == text[0] ? 2 : 1);
      continue;
    }
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos) {
      throw std::invalid_argument(R"("{" has no "}" behind it; write "{{" for a brace)");
    }
    const std::string_view word = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    end_literal();
    if (word == "count" || word == "window_s" || word == "time") {
      parts_.emplace_back(word == "count" ? Number::count : word == "time" ? Number::time : Number::window_s);
    } else if (const auto field = Field::of(word)) {
      if (field->is_annotation()) check_annotation(*field, host, {"count", "window_s", "time"});
      parts_.emplace_back(*field);
    } else {
      throw std::invalid_argument(in_quotes("{" + std::string(word) + "}") +
                                  " is no field: {src}, {dst}, {dport}, {count}, ...; write \"{{\" for a brace");
    }
  }
  end_literal();
}

std::string MessageTemplate::fill(JudgedEvent& event, std::size_t most_bytes) const {
  std::string out;
  for (const auto& part : parts_) {
    if (const auto* const literal = std::get_if<std::string>(&part)) {
      out += *literal;
    } else if (const auto* const field = std::get_if<Field>(&part)) {
      field->append(event, out);
    } else {
      switch (std::get<Number>(part)) {
        case Number::count: out += kCountMark; break;
        case Number::window_s: out += kWindowMark; break;
        case Number::time: out += time_text(event.event().time_ns()); break;
      }
    }
    if (out.size() > most_bytes) break;
  }
  shorten(out, most_bytes);
  return out;
}

void MessageTemplate::put_numbers(std::string& filled, std::uint64_t count, std::uint32_t window_s) {
  for (std::size_t at = filled.find_first_of("\x01\x02"); at != std::string::npos;
       at = filled.find_first_of("\x01\x02", at)) {
    filled.replace(at, 1, std::to_string(filled[at] == kCountMark ? count : window_s));
  }
}

std::string fill_spr_template(std::string_view text, const Json& event, const NameOf& name_of, std::size_t most_bytes) {
  std::string out;
  while (!text.empty() && out.size() <= most_bytes) {
    const std::size_t begin = text.find("{{");
    const std::size_t end = begin == std::string_view::npos ? begin : text.find("}}", begin);
    if (end == std::string_view::npos) break;
    out += text.substr(0, begin);
    const std::string_view place = text.substr(begin + 2, end - begin - 2);
    if (fill_place(place, event, name_of, out)) {
      text.remove_prefix(end + 2);
    } else {
      out += "{{";
      text.remove_prefix(begin + 2);
    }
  }
  out += text;
  shorten(out, most_bytes);
  return out;
}

const Json* find_path(const Json& event, std::string_view path) {
  const Json* at = &event;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view key = path.substr(0, dot);
    if (at->is_object()) {
      const auto found = at->find(std::string(key));
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array()) {
      std::size_t index = 0;
      const char* const end = key.data() + key.size();
      if (std::from_chars(key.data(), end, index).ptr != end || key.empty() || index >= at->size()) return nullptr;
      at = &(*at)[index];
    } else {
      return nullptr;
    }
    if (dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
}

}  // namespace rules
