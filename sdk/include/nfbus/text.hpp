// Between the ABI's texts and std::string_view. Neither copies: a view lives as long as the text that it shows.
#pragma once

#include <nfbus/abi.h>

#include <string_view>

namespace nfbus {

[[nodiscard]] constexpr std::string_view to_view(nfbus_text text) noexcept {
  return text.size == 0 ? std::string_view{} : std::string_view{text.data, text.size};
}

[[nodiscard]] constexpr nfbus_text to_text(std::string_view view) noexcept { return {view.data(), view.size()}; }

}  // namespace nfbus
