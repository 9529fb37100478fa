#include "support/printable.hpp"

#include "support/utf8.hpp"

#include <algorithm>

namespace nfbus::host {

namespace {

// kind: 'x', 'u' or 'U', with that many hexadecimal digits.
ShownCharacter escape(std::size_t taken, char kind, std::size_t digits, std::uint32_t value) noexcept {
  constexpr std::string_view kHex = "0123456789abcdef";
  ShownCharacter shown{.taken = taken, .size = static_cast<std::uint8_t>(2 + digits), .text = {'\\', kind}};
  for (std::size_t i = digits; i != 0; --i, value >>= 4U) shown.text.at(1 + i) = kHex[value & 15U];
  return shown;
}

}  // namespace

ShownCharacter shown_character(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text.front());
  ShownCharacter shown{.taken = 1, .size = 1, .text = {text.front()}};
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? shown : escape(1, 'x', 2, first);
  const Utf8Sequence sequence = utf8_sequence(text);
  if (!sequence.valid) return escape(1, 'x', 2, first);
  const std::string_view character = text.substr(0, sequence.size);
  if (const std::uint32_t code = code_point(character); is_hidden(code)) {
    return code > 0xffff ? escape(sequence.size, 'U', 8, code) : escape(sequence.size, 'u', 4, code);
  }
  shown.taken = sequence.size;
  shown.size = static_cast<std::uint8_t>(sequence.size);
  std::copy(character.begin(), character.end(), shown.text.begin());
  return shown;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const ShownCharacter shown = shown_character(text);
    out += shown.view();
    text.remove_prefix(shown.taken);
  }
  return out;
}

}  // namespace nfbus::host
