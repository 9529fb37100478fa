#include "event/formats/json_writer.hpp"

#include "event/formats/utf8.hpp"

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
      out = sequence.valid ? put(out, text.substr(0, used)) : put(out, kReplacementCharacter);
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
