// Addresses that people write, by whatever spelling, as events have them.
#pragma once

#include <nfbus/event.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace websocket {

// In the one spelling that nfbus writes. What IPv6 has of IPv4 (RFC 4291, section 2.5.5.2) is IPv4, as in packets.
// None: it is no address.
[[nodiscard]] inline std::optional<std::string> address_of(const std::string& text) {
  if (text.find('\0') != std::string::npos) return std::nullopt;
  in6_addr room{};
  const std::span<const std::uint8_t, 16> bytes(room.s6_addr);
  if (inet_pton(AF_INET, text.c_str(), &room) == 1) return std::string(nfbus::AddressText(bytes.first(4)));
  if (inet_pton(AF_INET6, text.c_str(), &room) != 1) return std::nullopt;
  return std::string(nfbus::AddressText(IN6_IS_ADDR_V4MAPPED(&room) ? bytes.last(4) : bytes));
}

}  // namespace websocket
