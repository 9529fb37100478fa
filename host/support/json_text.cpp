#include "support/json_text.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>

namespace nfbus::host {

using nlohmann::json;

bool is_json(std::string_view text) {
  return !util::is_nested_deeper(text) && text.find('\0') == std::string_view::npos &&
         !text.starts_with("\xef\xbb\xbf") && json::accept(text.begin(), text.end());
}

std::string shown(const json& value) {
  constexpr std::size_t kMostBytes = 80;
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= kMostBytes) return text;
  std::size_t end = kMostBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside of a character
  return text.substr(0, end) + "...";
}

std::string_view found_type(const json& value) {
  if (value.is_string()) return "a string";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a float";
  if (value.is_boolean()) return "a boolean";
  if (value.is_array()) return "an array";
  return value.is_object() ? "a table" : "nothing";
}

}  // namespace nfbus::host
