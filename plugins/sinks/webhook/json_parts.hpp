// Parts of a JSON text, found and copied as they stand there: no tree is made, and no number loses a digit.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace webhook {

// The value at a path of keys (of arrays: indices) in a JSON text, as it stands there, a string with its quotes. Of a
// key that is there twice, the last one. Empty: there is none, or the text is no JSON. An empty path is the whole
// value.
[[nodiscard]] std::string_view find_part(std::string_view json, std::span<const std::string> path);

// What a part is as text: a string without quotes and escapes, null nothing, all else its JSON.
void append_text(std::string_view part, std::string& out);

// The inside of a JSON string without its escapes.
void append_inside(std::string_view inside, std::string& out);

// A text as the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
void append_escaped(std::string_view text, std::string& out);

// The same with its quotes.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace webhook
