#include "comment.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pcapsink {
namespace {

// RFC 3629, section 4: how many bytes the character at the front has; 0: it is none.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void add_quoted(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const std::size_t size = character_bytes(text);
    if (size == 0) {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    if (text[0] == '"' || text[0] == '\\') out += '\\';
    out.append(text.substr(0, size));
    text.remove_prefix(size);
  }
  out += '"';
}

void add_number(std::uint32_t number, std::string& out) {
  std::array<char, 10> digits{};
  char* const end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  out.append(digits.begin(), end);
}

}  // namespace

void add_comment(const nfbus_event& event, std::string& out) {
  out += "prefix=";
  add_quoted({event.prefix.data, event.prefix.size}, out);
  out += event.action == NFBUS_ACTION_BLOCKED ? " action=blocked" : " action=allowed";
  if ((event.present & NFBUS_HAS_UID) != 0) {
    out += " uid=";
    add_number(event.uid, out);
  }
}

}  // namespace pcapsink
