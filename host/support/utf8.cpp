#include "support/utf8.hpp"

#include <algorithm>
#include <array>

namespace nfbus::host {

namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};
// The Unicode Character Database 15.0, DerivedGeneralCategory.txt; of Cf not what has a shape of its own, as the Arabic
// signs that span numbers have.
constexpr std::array<Range, 12> kHidden = {{{0x80, 0x9f},      // C1 controls
                                            {0xad, 0xad},      // soft hyphen
                                            {0x61c, 0x61c},    // Arabic letter mark
                                            {0x180e, 0x180e},  // Mongolian vowel separator
                                            {0x200b, 0x200f},  // zero width, marks of direction
                                            {0x2028, 0x202e},  // separators of lines, embeddings, overrides
                                            {0x2060, 0x206f},  // word joiner, isolates
                                            {0xfeff, 0xfeff},  // byte order mark
                                            {0xfff9, 0xfffb},  // interlinear annotation
                                            {0x1bca0, 0x1bca3},
                                            {0x1d173, 0x1d17a},
                                            {0xe0000, 0xe007f}}};  // tags

}  // namespace

Utf8Sequence utf8_sequence(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  std::size_t size = 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) low = 0xa0;   // no overlong forms
    if (lead == 0xed) high = 0x9f;  // no surrogates
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;  // nothing beyond U+10FFFF
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {size, true};
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const Utf8Sequence sequence = next_sequence(text);
    if (!sequence.valid) return false;
    text.remove_prefix(sequence.size);
  }
  return true;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Sequence sequence = next_sequence(text);
    out += sequence.valid ? text.substr(0, sequence.size) : kReplacementCharacter;
    text.remove_prefix(sequence.size);
  }
  return out;
}

std::uint32_t code_point(std::string_view character) noexcept {
  constexpr std::array<unsigned, 5> kLeadBits = {0, 0, 0x1f, 0xf, 0x7};
  std::uint32_t code =
      static_cast<unsigned char>(character.front()) & kLeadBits[std::min<std::size_t>(character.size(), 4)];
  for (const char byte : character.substr(1)) code = code << 6U | (static_cast<unsigned char>(byte) & 0x3fU);
  return code;
}

bool is_hidden(std::uint32_t code) noexcept {
  const auto* const range =
      std::find_if(kHidden.begin(), kHidden.end(), [&](const Range& r) { return code <= r.last; });
  return range != kHidden.end() && code >= range->first;
}

}  // namespace nfbus::host
