// What plugins ask of their options.
#pragma once

#include <nfbus/options.hpp>

#include <string>
#include <string_view>

namespace output {

[[nodiscard]] inline std::string text_or_empty(const nfbus::Options& options, std::string_view key) {
  return options.has(key) ? options.text(key) : std::string();
}

}  // namespace output
