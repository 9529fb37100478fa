#include "json.hpp"

#include "../../../lib/ascii.hpp"

#include <nfbus/util/json_levels.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <utility>

namespace rules {
namespace {

// What is made of an event goes two levels deeper.
constexpr std::size_t kMostLevels = nfbus::util::kMostJsonLevels - 4;

std::string place_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return std::to_string(lines + 1) + ':' + std::to_string(before.size() - line_start + 1);
}

// nlohmann says "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ...".
std::string reason_of(const std::string& what) {
  const std::size_t column = what.find("column ");
  const std::size_t colon = what.find(": ", column == std::string::npos ? 0 : column);
  if (colon != std::string::npos) return what.substr(colon + 2);
  const std::size_t bracket = what.find("] ");
  return bracket == std::string::npos ? what : what.substr(bracket + 2);
}

// Of "... number overflow parsing '1e400'", which nlohmann says without the place.
std::string place_of_number(std::string_view text, const std::string& what) {
  const std::size_t begin = what.find('\'');
  const std::size_t end = what.rfind('\'');
  const std::size_t at = end <= begin ? std::string::npos : text.find(what.substr(begin + 1, end - begin - 1));
  return place_of(text, at == std::string::npos ? 0 : at);
}

// Notes the keys of each object that is open.
class KeyWatch {
 public:
  bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key && !open_.back().insert(parsed.get_ref<const std::string&>()).second &&
        twice_.empty()) {
      twice_ = parsed.get<std::string>();
      found_ = true;
    }
    return true;
  }
  [[nodiscard]] bool found() const noexcept { return found_; }
  [[nodiscard]] const std::string& key() const noexcept { return twice_; }

 private:
  std::vector<std::set<std::string>> open_;
  std::string twice_;
  bool found_ = false;
};

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

using output::lower;

}  // namespace

bool is_same_but_for_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

Json parse_strict(std::string_view text, Twice twice) {
  if (text.size() > kMostJsonBytes) {
    throw std::invalid_argument("is longer than " + std::to_string(kMostJsonBytes >> 20U) + " MiB");
  }
  // nlohmann takes a NUL for the end.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    throw std::invalid_argument(place_of(text, nul) + ": a NUL byte");
  }
  if (nfbus::util::is_nested_deeper(text, kMostLevels)) {
    throw std::invalid_argument("is nested deeper than " + std::to_string(kMostLevels) + " levels");
  }
  KeyWatch keys;
  try {
    if (twice == Twice::allowed) return Json::parse(text);
    Json parsed = Json::parse(
        text, [&keys](int depth, Json::parse_event_t event, Json& value) { return keys(depth, event, value); });
    if (keys.found()) throw std::invalid_argument("the key " + in_quotes(keys.key()) + " stands in an object twice");
    return parsed;
  } catch (const Json::parse_error& error) {
    const std::size_t offset = error.byte == 0 ? 0 : std::min(error.byte - 1, text.size());
    throw std::invalid_argument(place_of(text, offset) + ": " + reason_of(error.what()));
  } catch (const Json::exception& error) {
    throw std::invalid_argument(place_of_number(text, error.what()) + ": " + reason_of(error.what()));
  }
}

std::vector<std::string> elements_of(std::string_view text) {
  std::vector<std::string> out;
  std::size_t depth = 0;
  bool in_string = false;
  std::size_t begin = std::string_view::npos;  // of the element that is read; none: before it
  std::size_t end = 0;
  const auto take = [&] {
    if (begin != std::string_view::npos) out.emplace_back(text.substr(begin, end - begin));
    begin = std::string_view::npos;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!in_string) {
      if (c == ']' && depth == 1) break;
      if (c == ',' && depth == 1) {
        take();
        continue;
      }
    }
    if (depth >= 1 && !is_blank(c)) {
      if (begin == std::string_view::npos) begin = i;
      end = i + 1;
    }
    if (in_string) {
      if (c == '\\') {
        ++i;
        end = i + 1;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  take();
  return out;
}

Json parse_event(std::string_view text) {
  Json none(Json::value_t::discarded);
  if (text.empty() || text.find('\0') != std::string_view::npos || text.starts_with("\xef\xbb\xbf") ||
      nfbus::util::is_nested_deeper(text, kMostLevels)) {
    return none;
  }
  return Json::parse(text, nullptr, false);
}

std::string in_quotes(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* find_key(const Json& object, std::string_view key) {
  const Json* found = nullptr;
  for (const auto& item : object.items()) {
    if (item.key() == key) return item.value().is_null() ? nullptr : &item.value();
    if (found == nullptr && !item.value().is_null() && is_same_but_for_case(item.key(), key)) found = &item.value();
  }
  return found;
}

}  // namespace rules
