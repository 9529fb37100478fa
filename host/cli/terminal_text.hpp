// What commands write to a terminal: texts of strangers made harmless, addresses.
#pragma once

#include "support/printable.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace nfbus::host {

// An IPv4 address of 4 bytes, or an IPv6 address of 16, in its usual form. Thread safety: any.
[[nodiscard]] std::string address_text(std::span<const std::uint8_t> address);

}  // namespace nfbus::host
