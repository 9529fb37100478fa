#include "cli/terminal_text.hpp"

#include "event/formats/utf8.hpp"

#include <arpa/inet.h>

#include <array>

namespace nfbus::host {

namespace {

// character: one of UTF-8 beyond ASCII, in the Unicode categories Cc, Zl and Zp or with the property Bidi_Control.
bool steers(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 2) {
    return (byte(0) == 0xc2 && byte(1) < 0xa0)       // U+0080 to U+009F
           || (byte(0) == 0xd8 && byte(1) == 0x9c);  // U+061C
  }
  if (character.size() != 3 || byte(0) != 0xe2) return false;
  if (byte(1) == 0x80)
    return byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae);  // U+200E, ...
  return byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;                         // U+2066 to U+2069
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t size = 1;
    bool shown = first >= 0x20 && first < 0x7f;
    if (first >= 0x80) {
      const Utf8Sequence sequence = utf8_sequence(text);
      size = sequence.size;
      shown = sequence.valid && !steers(text.substr(0, size));
    }
    out += shown ? text.substr(0, size) : "?";
    text.remove_prefix(size);
  }
  return out;
}

std::string address_text(std::span<const std::uint8_t> address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
  return text.data();
}

}  // namespace nfbus::host
