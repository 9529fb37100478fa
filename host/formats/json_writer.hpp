// Writes JSON text into memory that the caller has made room for: no checks of room, no allocation.
//
// Each function writes at `out` and returns the end of what it wrote. Up to kSlack bytes behind that end may be
// overwritten. Thread safety: any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace nfbus::host::json {

inline constexpr std::size_t kSlack = 8;
// The most that one byte of a string may need: \u0000.
inline constexpr std::size_t kMaxEscapedByte = 6;
inline constexpr std::size_t kMaxIpv6Text = 45;

// RFC 4648, section 4.
inline constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

namespace detail {

// Decimal texts of 0 to 255 without leading zeros, and of 0 to 99 with them.
struct Octet {
  std::array<char, 3> text;
  std::uint8_t size;
};
inline constexpr auto kOctets = [] {
  std::array<Octet, 256> octets{};
  for (unsigned i = 0; i < 256; ++i) {
    const auto digit = [](unsigned value) { return static_cast<char>('0' + value); };
    if (i < 10)
      octets[i] = {{digit(i)}, 1};
    else if (i < 100)
      octets[i] = {{digit(i / 10), digit(i % 10)}, 2};
    else
      octets[i] = {{digit(i / 100), digit(i / 10 % 10), digit(i % 10)}, 3};
  }
  return octets;
}();
inline constexpr auto kPairs = [] {
  std::array<std::array<char, 2>, 100> pairs{};
  for (unsigned i = 0; i < 100; ++i) pairs[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
  return pairs;
}();
// Two digits for 12 bits: half the look-ups of one digit for 6.
inline constexpr auto kBase64Pairs = [] {
  std::array<std::array<char, 2>, 4096> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kBase64Digits[i >> 6U], kBase64Digits[i & 63U]};
  return pairs;
}();
inline constexpr std::string_view kHexDigits = "0123456789abcdef";
// "00:" to "ff:"
inline constexpr auto kHexColon = [] {
  std::array<std::array<char, 4>, 256> texts{};
  for (std::size_t i = 0; i < 256; ++i) texts[i] = {kHexDigits[i >> 4U], kHexDigits[i & 15U], ':', '\0'};
  return texts;
}();

// True when none of the 8 bytes is a control character, a quote, a backslash or beyond ASCII.
inline bool is_plain(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  const std::uint64_t marks =
      bytes | (bytes - kOnes * ' ') | ((bytes ^ kOnes * '"') - kOnes) | ((bytes ^ kOnes * '\\') - kOnes);
  return (marks & kOnes * 0x80U) == 0;
}
inline bool is_plain(char byte) noexcept {
  const auto code = static_cast<unsigned char>(byte);
  return code >= 0x20 && code < 0x80 && byte != '"' && byte != '\\';
}

char* put_escaped(char* out, std::string_view text) noexcept;

}  // namespace detail

template <std::size_t Size>
inline char* put(char* out, const char (&literal)[Size]) noexcept {
  std::memcpy(out, static_cast<const char*>(literal), Size - 1);
  return out + Size - 1;
}

inline char* put(char* out, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

inline char* put_bool(char* out, bool value) noexcept {
  std::memcpy(out, value ? "true    " : "false   ", kSlack);
  return out + (value ? 4 : 5);
}

inline char* put_u8(char* out, std::uint8_t value) noexcept {
  const detail::Octet& octet = detail::kOctets[value];
  std::memcpy(out, &octet, sizeof octet);
  return out + octet.size;
}

// 0 to 99 as two digits.
inline char* put_pair(char* out, std::uint32_t value) noexcept {
  std::memcpy(out, detail::kPairs[value].data(), 2);
  return out + 2;
}

// Exactly six digits; value < 1000000.
inline char* put_six_digits(char* out, std::uint32_t value) noexcept {
  out = put_pair(out, value / 10000);
  out = put_pair(out, value / 100 % 100);
  return put_pair(out, value % 100);
}

inline char* put_u32(char* out, std::uint32_t value) noexcept {
  if (value < 256) return put_u8(out, static_cast<std::uint8_t>(value));
  if (value < 10000) return put_pair(put_u8(out, static_cast<std::uint8_t>(value / 100)), value % 100);
  if (value < 1000000) {
    out = put_u8(out, static_cast<std::uint8_t>(value / 10000));
    out = put_pair(out, value / 100 % 100);
    return put_pair(out, value % 100);
  }
  if (value < 100000000) {
    return put_six_digits(put_u8(out, static_cast<std::uint8_t>(value / 1000000)), value % 1000000);
  }
  const std::uint32_t low = value % 100000000;
  out = put_u8(out, static_cast<std::uint8_t>(value / 100000000));
  return put_six_digits(put_pair(out, low / 1000000), low % 1000000);
}

inline char* put_ipv4(char* out, std::span<const std::uint8_t, 4> address) noexcept {
  out = put_u8(out, address[0]);
  *out++ = '.';
  out = put_u8(out, address[1]);
  *out++ = '.';
  out = put_u8(out, address[2]);
  *out++ = '.';
  return put_u8(out, address[3]);
}

// As inet_ntop writes it. At most kMaxIpv6Text characters.
char* put_ipv6(char* out, std::span<const std::uint8_t, 16> address) noexcept;

// "02:00:5e", two digits a byte. Three characters a byte at most.
inline char* put_hex_bytes(char* out, std::span<const std::uint8_t> bytes) noexcept {
  if (bytes.empty()) return out;
  for (const std::uint8_t byte : bytes) {
    std::memcpy(out, detail::kHexColon[byte].data(), 4);
    out += 3;
  }
  return out - 1;
}

// Returns how much put_base64() writes for so many bytes.
[[nodiscard]] constexpr std::size_t base64_bytes(std::size_t size_bytes) noexcept { return (size_bytes + 2) / 3 * 4; }
// With padding (RFC 4648 section 4): nothing in it needs escaping.
inline char* put_base64(char* out, std::span<const std::uint8_t> bytes) noexcept {
  const auto put_two = [](char* at, std::uint32_t bits) {
    std::memcpy(at, detail::kBase64Pairs[bits & 0xfffU].data(), 2);
    return at + 2;
  };
  for (; bytes.size() >= 3; bytes = bytes.subspan(3)) {
    const std::uint32_t bits = std::uint32_t{bytes[0]} << 16U | std::uint32_t{bytes[1]} << 8U | bytes[2];
    out = put_two(put_two(out, bits >> 12U), bits);
  }
  if (bytes.empty()) return out;
  const std::uint32_t bits = std::uint32_t{bytes[0]} << 16U | (bytes.size() == 2 ? std::uint32_t{bytes[1]} << 8U : 0U);
  out = put_two(out, bits >> 12U);
  *out++ = bytes.size() == 2 ? kBase64Digits[(bits >> 6U) & 63U] : '=';
  *out++ = '=';
  return out;
}
// The same between quotes.
inline char* put_base64_string(char* out, std::span<const std::uint8_t> bytes) noexcept {
  return put(put_base64(put(out, "\""), bytes), "\"");
}

// A JSON text that is valid already, with an escape for each character that nobody would see or that steers the
// terminal that shows it (is_hidden()): it means the same. kMaxEscapedByte a byte at most.
char* put_shown(char* out, std::string_view json) noexcept;
// The same as a text of its own.
[[nodiscard]] std::string shown(std::string json);

// The inside of a JSON string: escaped as JSON asks for, hidden characters (is_hidden()) as \u202e, and what is not
// UTF-8 replaced by U+FFFD. kMaxEscapedByte a byte at most.
inline char* put_text(char* out, std::string_view text) noexcept {
  const char* in = text.data();
  std::size_t left = text.size();
  while (left >= sizeof(std::uint64_t)) {
    std::uint64_t chunk = 0;
    std::memcpy(&chunk, in, sizeof chunk);
    if (!detail::is_plain(chunk)) return detail::put_escaped(out, {in, left});
    std::memcpy(out, &chunk, sizeof chunk);
    in += sizeof chunk;
    out += sizeof chunk;
    left -= sizeof chunk;
  }
  for (; left != 0; --left) {
    if (!detail::is_plain(*in)) return detail::put_escaped(out, {in, left});
    *out++ = *in++;
  }
  return out;
}

}  // namespace nfbus::host::json
