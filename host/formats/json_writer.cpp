#include "formats/json_writer.hpp"

#include "support/utf8.hpp"

#include <algorithm>

namespace nfbus::host::json {

namespace {

struct Zeros {
  std::size_t first;
  std::size_t count;
};

// The longest run of zero groups, the first of equal ones; a single group is no run.
Zeros longest_zeros(const std::array<std::uint16_t, 8>& groups) noexcept {
  Zeros best{groups.size(), 1};
  for (std::size_t i = 0; i < groups.size();) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i > best.count) best = {i, end - i};
    i = end == i ? i + 1 : end;
  }
  return best;
}

char* put_group(char* out, std::uint16_t group) noexcept {
  if (group > 0xfffU) *out++ = detail::kHexDigits[group >> 12U];
  if (group > 0xffU) *out++ = detail::kHexDigits[(group >> 8U) & 15U];
  if (group > 0xfU) *out++ = detail::kHexDigits[(group >> 4U) & 15U];
  *out++ = detail::kHexDigits[group & 15U];
  return out;
}

char* put_unit(char* out, std::uint32_t unit) noexcept {
  out = put(out, "\\u");
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = detail::kHexDigits[unit >> static_cast<unsigned>(shift) & 15U];
  return out;
}

// \u202e, or two of them (RFC 8259 section 7). Three characters a byte of `code` in UTF-8 at most.
char* put_unicode_escape(char* out, std::uint32_t code) noexcept {
  if (code <= 0xffffU) return put_unit(out, code);
  code -= 0x10000U;
  return put_unit(put_unit(out, 0xd800U + (code >> 10U)), 0xdc00U + (code & 0x3ffU));
}

// character: whole and valid, beyond ASCII.
char* put_character(char* out, std::string_view character) noexcept {
  const std::uint32_t code = code_point(character);
  return is_hidden(code) ? put_unicode_escape(out, code) : put(out, character);
}

char* put_control(char* out, char control) noexcept {
  *out++ = '\\';
  switch (control) {
    case '\b': *out++ = 'b'; return out;
    case '\f': *out++ = 'f'; return out;
    case '\n': *out++ = 'n'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\t': *out++ = 't'; return out;
    default: break;
  }
  out = put(out, "u00");
  *out++ = detail::kHexDigits[static_cast<unsigned char>(control) >> 4U];
  *out++ = detail::kHexDigits[static_cast<unsigned char>(control) & 15U];
  return out;
}

}  // namespace

char* detail::put_escaped(char* out, std::string_view text) noexcept {
  while (!text.empty()) {
    const char byte = text.front();
    std::size_t used = 1;
    if (is_plain(byte)) {
      *out++ = byte;
    } else if (static_cast<unsigned char>(byte) >= 0x80) {
      const Utf8Sequence sequence = utf8_sequence(text);
      used = sequence.size;
      out = sequence.valid ? put_character(out, text.substr(0, used)) : put(out, kReplacementCharacter);
    } else if (byte == '"' || byte == '\\') {
      *out++ = '\\';
      *out++ = byte;
    } else {
      out = put_control(out, byte);
    }
    text.remove_prefix(used);
  }
  return out;
}

char* put_shown(char* out, std::string_view json) noexcept {
  while (!json.empty()) {
    const auto* const beyond = std::find_if(json.begin(), json.end(), [](char c) { return (c & 0x80) != 0; });
    const auto plain = static_cast<std::size_t>(beyond - json.begin());
    out = put(out, json.substr(0, plain));
    json.remove_prefix(plain);
    if (json.empty()) break;
    const Utf8Sequence sequence = utf8_sequence(json);
    const std::string_view character = json.substr(0, sequence.size);
    out = sequence.valid ? put_character(out, character) : put(out, character);
    json.remove_prefix(sequence.size);
  }
  return out;
}

std::string shown(std::string json) {
  if (std::none_of(json.begin(), json.end(), [](char c) { return (c & 0x80) != 0; })) return json;
  std::string out(kMaxEscapedByte * json.size(), '\0');
  out.resize(static_cast<std::size_t>(put_shown(out.data(), json) - out.data()));
  return out;
}

char* put_ipv6(char* out, std::span<const std::uint8_t, 16> address) noexcept {
  std::array<std::uint16_t, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<std::uint16_t>(address[2 * i] << 8U | address[2 * i + 1]);
  }
  const Zeros zeros = longest_zeros(groups);
  const bool mapped = zeros.first == 0 && zeros.count == 5 && groups[5] == 0xffffU;
  const bool compatible = zeros.first == 0 && zeros.count == 6;
  const std::size_t count = mapped || compatible ? 6 : groups.size();
  for (std::size_t i = 0; i < count;) {
    if (i == zeros.first) {
      out = put(out, "::");
      i += zeros.count;
      continue;
    }
    if (i != 0 && i != zeros.first + zeros.count) *out++ = ':';
    out = put_group(out, groups[i]);
    ++i;
  }
  if (mapped) *out++ = ':';
  return mapped || compatible ? put_ipv4(out, address.last<4>()) : out;
}

}  // namespace nfbus::host::json
