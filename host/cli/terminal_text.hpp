// Bytes of strangers as text that a terminal may be given.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nfbus::host {

// '?' stands for each character that could steer a terminal or turn around what stands beside it (control characters
// of ASCII and of Unicode, separators of lines, marks of direction) and for what is not UTF-8. Thread safety: any.
[[nodiscard]] std::string printable(std::string_view text);

// An IPv4 address of 4 bytes, or an IPv6 address of 16, in its usual form. Thread safety: any.
[[nodiscard]] std::string address_text(std::span<const std::uint8_t> address);

}  // namespace nfbus::host
