// JSON values in texts for users.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace nfbus::host {

// [any] The value as JSON and TOML have it, shortened, one line.
[[nodiscard]] std::string shown(const nlohmann::json& value);
// [any] "a string", "an integer", "a table"; "nothing" for null.
[[nodiscard]] std::string_view found_type(const nlohmann::json& value);

}  // namespace nfbus::host
