#include "facts.hpp"

#include "json_parts.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <stdexcept>

namespace webhook {
namespace {

using Path = std::vector<std::string>;

bool says_nothing(std::string_view part) { return part.empty() || part == "null" || part == R"("")"; }

Path path_of(std::string_view text) {
  Path out;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view key = text.substr(0, dot);
    if (key.empty()) throw std::invalid_argument("a key is missing: write {KEY}, {KEY.KEY} or {ONE|OTHER}");
    out.emplace_back(key);
    if (dot == std::string_view::npos) return out;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

bool Placeholder::asks_for(std::string_view name) const {
  return std::ranges::any_of(paths, [&](const Path& path) { return path.size() == 1 && path.front() == name; });
}

Placeholder placeholder_of(std::string_view text) {
  Placeholder out;
  for (const char c : text) {
    if (c == '{' || c == '}' || static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
      throw std::invalid_argument("keys have no braces and no control characters");
    }
  }
  while (true) {
    const std::size_t bar = text.find('|');
    out.paths.push_back(path_of(text.substr(0, bar)));
    if (bar == std::string_view::npos) return out;
    text.remove_prefix(bar + 1);
  }
}

Facts::Facts(const Lookups& lookups, std::string_view device) : lookups_(lookups), device_(json_string(device)) {}

void Facts::set(const Shown& shown) {
  static const Path kMessage = {"Message"};
  line_ = shown.line;
  is_message_ = shown.is_message;
  topic_ = json_string(shown.topic);
  id_ = json_string(shown.id);
  event_ = is_message_ ? find_part(line_, kMessage) : find_part(line_, {});
}

std::string_view Facts::find(const Placeholder& placeholder) const {
  std::string_view part;
  for (const Path& path : placeholder.paths) {
    const auto lookup = path.size() == 1 ? lookups_.find(path.front()) : lookups_.end();
    part = lookup != lookups_.end() ? look_up(lookup->second) : find_path(path);
    if (!says_nothing(part)) break;
  }
  return part;
}

std::string_view Facts::look_up(const Lookup& lookup) const {
  std::string text;
  for (const Path& path : lookup.of.paths) {
    append_text(find_path(path), text);
    if (!text.empty()) break;
  }
  const auto found = lookup.values.find(text);
  return found != lookup.values.end() ? found->second : lookup.other;
}

std::string_view Facts::find_path(const Path& path) const {
  static const Path kTimestamp = {"Timestamp"};
  const std::string& first = path.front();
  if (first == "event") return find_part(event_, std::span(path).subspan(1));
  if (path.size() == 1) {
    if (first == "topic") return topic_;
    if (first == "time") return find_part(line_, kTimestamp);
    if (first == "device") return device_;
    if (first == "id") return id_;
  }
  const std::string_view part = find_part(event_, path);
  return part.empty() && is_message_ ? find_part(line_, path) : part;
}

}  // namespace webhook
