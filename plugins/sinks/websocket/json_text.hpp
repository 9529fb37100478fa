// JSON that is written by hand, because it is written for each packet. For all else: nlohmann/json.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace websocket {

// In quotes. Of bytes that are no UTF-8 each becomes U+FFFD, and what steers a terminal or turns text around stands as
// an escape, so that what we send is always valid and always safe to print.
void append_quoted(std::string& out, std::string_view bytes);

// The beginning of a text, cut between characters where it is longer.
[[nodiscard]] std::string_view beginning_of(std::string_view text, std::size_t most_bytes);

// JSON that the host rendered, as a text in JSON: quotes and backslashes are all that need an escape.
void append_json_as_text(std::string& out, std::string_view json);

template <std::integral T>
void append_number(std::string& out, T value) {
  char room[24];
  const auto [end, error] = std::to_chars(room, room + sizeof room, value);
  static_cast<void>(error);  // it has room
  out.append(room, end);
}

// Milliseconds with three decimals, from ns.
void append_ms(std::string& out, std::int64_t time_ns);

}  // namespace websocket
