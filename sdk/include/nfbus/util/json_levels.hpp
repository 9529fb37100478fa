// How deep JSON is nested, before it is read: readers of JSON, and what is done with what they read, recurse.
#pragma once

#include <cstddef>
#include <string_view>

namespace nfbus::util {

// What is nested deeper is no JSON to nfbus: a message is carried as text, options and matches are refused.
inline constexpr std::size_t kMostJsonLevels = 64;

// [any] Returns whether more than so many brackets are open at once anywhere in the text, those in strings aside. Of a
// text that is no JSON: as far as a reader gets in it. Takes a fixed amount of stack.
[[nodiscard]] inline bool is_nested_deeper(std::string_view json, std::size_t levels = kMostJsonLevels) noexcept {
  std::size_t open = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char byte = json[i];
    if (in_string) {
      if (byte == '\\') ++i;
      if (byte == '"') in_string = false;
    } else if (byte == '"') {
      in_string = true;
    } else if (byte == '[' || byte == '{') {
      if (++open > levels) return true;
    } else if ((byte == ']' || byte == '}') && open != 0) {
      --open;
    }
  }
  return false;
}

}  // namespace nfbus::util
