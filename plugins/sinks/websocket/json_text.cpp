#include "json_text.hpp"

#include "../../lib/utf8.hpp"

#include <cstddef>

namespace websocket {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

void append_escape(std::string& out, std::uint32_t code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[code >> static_cast<unsigned>(shift) & 15U];
}

// A character as JSON's escapes (RFC 8259, section 7).
void append_escaped(std::string& out, std::uint32_t code) {
  if (code < 0x10000) return append_escape(out, code);
  append_escape(out, 0xd800U + ((code - 0x10000U) >> 10U));
  append_escape(out, 0xdc00U + ((code - 0x10000U) & 0x3ffU));
}

}  // namespace

void append_quoted(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    const output::Character next = output::first_character(bytes);
    if (next.size_bytes == 0) {
      out += output::kReplacement;
      bytes.remove_prefix(1);
      continue;
    }
    if (next.code == '"' || next.code == '\\') {
      out += '\\';
      out += static_cast<char>(next.code);
    } else if (output::is_control(next.code) || output::is_hidden(next.code)) {
      append_escaped(out, next.code);
    } else {
      out += bytes.substr(0, next.size_bytes);
    }
    bytes.remove_prefix(next.size_bytes);
  }
  out += '"';
}

std::string_view beginning_of(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  constexpr std::size_t kMostBehindLead = 3;
  std::size_t end = most_bytes;
  while (end > 0 && most_bytes - end < kMostBehindLead && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
    --end;
  return text.substr(0, end);
}

void append_json_as_text(std::string& out, std::string_view json) {
  out += '"';
  std::size_t done = 0;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '"' && json[i] != '\\') continue;
    out += json.substr(done, i - done);
    out += '\\';
    done = i;
  }
  out += json.substr(done);
  out += '"';
}

void append_ms(std::string& out, std::int64_t time_ns) {
  const std::int64_t us = time_ns / 1000;
  append_number(out, us / 1000);
  const std::int64_t rest = us % 1000;
  if (rest <= 0) return;
  out += '.';
  out += kDigits[static_cast<std::size_t>(rest / 100)];
  out += kDigits[static_cast<std::size_t>(rest / 10 % 10)];
  out += kDigits[static_cast<std::size_t>(rest % 10)];
}

}  // namespace websocket
