// JSON in texts: values as users read them, and which texts are JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace nfbus::host {

// [any] Returns whether others read `text` as the JSON that it is, also inside of ours: nested no deeper than they read
// it, and without a NUL, which the parser takes for the end, or a byte order mark, which it skips.
[[nodiscard]] bool is_json(std::string_view text);
// [any] The value as JSON and TOML have it, shortened, one line.
[[nodiscard]] std::string shown(const nlohmann::json& value);
// [any] "a string", "an integer", "a table"; "nothing" for null.
[[nodiscard]] std::string_view found_type(const nlohmann::json& value);

}  // namespace nfbus::host
