// JSON as users write it: read strictly, written again as it was.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

// Keeps the order of keys, as the user's file has them.
using Json = nlohmann::ordered_json;

inline constexpr std::size_t kMostJsonBytes = std::size_t{4} << 20;

// [any] Throws std::invalid_argument, which says what is wrong and, where it is no JSON, at which LINE:COLUMN: "3:7:
// ...". Refused are NUL, invalid UTF-8, a key that an object has twice, more than kMostJsonBytes, and what is nested
// too deep.
enum class Twice : std::uint8_t { refused = 1, allowed };  // keys that an object has twice
[[nodiscard]] Json parse_strict(std::string_view text, Twice twice = Twice::refused);

// [any] The elements of an array, each as it is written; text: one that parse_strict() takes, an array.
[[nodiscard]] std::vector<std::string> elements_of(std::string_view text);

// [any] Reads an event: any JSON, of which the last of two equal keys counts. Discarded: it is none.
[[nodiscard]] Json parse_event(std::string_view text);

// [any] As a JSON string, in quotes; U+FFFD for what is no UTF-8.
[[nodiscard]] std::string in_quotes(std::string_view text);

// [any] The value of a key as Go finds it: the exact one, else one that differs in case. Null: there is none, or it is
// JSON's null.
[[nodiscard]] const Json* find_key(const Json& object, std::string_view key);
// [any] For ASCII.
[[nodiscard]] bool is_same_but_for_case(std::string_view a, std::string_view b) noexcept;

}  // namespace rules
