// Says what is wrong with a text that is not TOML, in words for the person who wrote it.
#pragma once

#include "config/toml.hpp"

#include <nfbus/result.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace nfbus::host {

// [control] Keys nested so deeply that toml++, which limits values but not dotted keys, would exhaust the stack.
[[nodiscard]] std::optional<Error> find_deep_key(std::string_view text, const std::string& file);

// [control] The parser's error, with the place of the first definition when the second one is the mistake.
[[nodiscard]] Error explain_syntax_error(const toml::parse_error& error, std::string_view text,
                                         const std::string& file);

}  // namespace nfbus::host
