// Texts that strangers had a hand in, before people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

inline constexpr std::size_t kMostValueBytes = 512;     // of one value in a text
inline constexpr std::size_t kMostTitleBytes = 512;     // of a title that is filled in
inline constexpr std::size_t kMostMessageBytes = 4096;  // of a message

// [any] Appends a value as one line of valid UTF-8: `\x1b` for control characters, U+FFFD for what is no UTF-8, nothing
// for characters that nobody sees or that turn the writing around. Cut behind kMostValueBytes.
void append_clean(std::string& out, std::string_view value);

// [any] Returns whether a text of the user's own may stand in a message as it is: no control character but, where
// `lines` are allowed, \n and \t.
[[nodiscard]] bool is_clean(std::string_view text, bool lines) noexcept;

// [any] Cuts at the end of a character, and says so with an ellipsis.
void shorten(std::string& text, std::size_t most_bytes);

// [any] "A new device!" as "a-new-device"; "rule" where nothing is left.
[[nodiscard]] std::string slug(std::string_view name);

// [any] "2026-11-27T14:55:46Z", RFC 3339.
[[nodiscard]] std::string time_text(std::int64_t time_ns);
// [any] Of RFC 3339, in ns since 1970, the greatest number from the year 2262 on; nothing: it is none.
[[nodiscard]] std::optional<std::int64_t> time_of(std::string_view text);

// [any] `; did you mean "match"?`, or nothing when no candidate is near.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace rules
