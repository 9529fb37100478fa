// Tells what a schema says, in the words of a user of TOML: for errors and for `nfbus plugins NAME`.
#pragma once

#include "support/json_text.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host::schema_words {

using host::shown;
// [any] `type` as a list; empty: any.
[[nodiscard]] std::vector<std::string> types(const nlohmann::json& schema);
// [any] "a string", "an array of strings", "a string or an array"; "anything" without a type.
[[nodiscard]] std::string expected(const nlohmann::json& schema);
// [any] `"a", "b" or "c"`.
[[nodiscard]] std::string choices(const nlohmann::json& values);
// [any] "0 to 65535", "at least 1 ms", "at most 10"; empty without limits.
[[nodiscard]] std::string range(const nlohmann::json& schema);
// [any] "1 to 64 characters", "at least 1 character"; empty without limits.
[[nodiscard]] std::string length(const nlohmann::json& schema);
// [any] "1 to 8 elements", "at most 8 elements"; empty without limits.
[[nodiscard]] std::string count(const nlohmann::json& schema);
// [any] The schema of the key `name` of a table: its property, else the one that all others have. Null: none.
[[nodiscard]] const nlohmann::json* of_key(const nlohmann::json& schema, const std::string& name);
[[nodiscard]] bool is_secret(const nlohmann::json& schema);
[[nodiscard]] bool is_match(const nlohmann::json& schema);
[[nodiscard]] bool is_output(const nlohmann::json& schema);
// [any] Of an output, too.
[[nodiscard]] bool is_path(const nlohmann::json& schema);
[[nodiscard]] bool may_be_stdout(const nlohmann::json& schema);
// [any] Whether `table` sets one of the options that this one is of no use without (x-needs), or it needs none.
[[nodiscard]] bool has_what_it_needs(const nlohmann::json& schema, const nlohmann::json& table);
// [any] Their names: "a or b".
[[nodiscard]] std::string needs(const nlohmann::json& schema);
// [any] Whether `table` has an option of these names that is neither 0, nor false, nor empty.
[[nodiscard]] bool any_is_set(const nlohmann::json& names, const nlohmann::json& table);
// [any] "a, b or c"
[[nodiscard]] std::string choices_of_keys(const nlohmann::json& names);
[[nodiscard]] bool is_deprecated(const nlohmann::json& schema);

}  // namespace nfbus::host::schema_words
