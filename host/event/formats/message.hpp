// What all JSON formats have in common: time, message events and annotations.
#pragma once

#include "event/event.hpp"
#include "event/formats/text_buffer.hpp"

#include <cstdint>

namespace nfbus::host {

struct SplitTime {
  std::int64_t second;        // since 1970-01-01 UTC; the one before for times in 1969 and earlier
  std::uint32_t fraction_ns;  // 0 to 999999999
};
[[nodiscard]] constexpr SplitTime split_time(std::int64_t time_ns) noexcept {
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  const std::int64_t rest_ns = time_ns % kSecond_ns;
  if (rest_ns >= 0) return {time_ns / kSecond_ns, static_cast<std::uint32_t>(rest_ns)};
  return {time_ns / kSecond_ns - 1, static_cast<std::uint32_t>(rest_ns + kSecond_ns)};
}

// Appends {"Topic":..,"Timestamp":..,"Message":..}: the event's text as JSON without white space between its tokens,
// or, where it is not JSON, as a string. The time is RFC 3339 in local time.
void render_message(const nfbus_event& event, TextBuffer& out);

// Replaces the '}' that `out` ends with by ,"Fields":{"name":"value",..}}.
void append_fields_object(const nfbus_event& event, TextBuffer& out);

}  // namespace nfbus::host
