// Reads where a network listener listens: "127.0.0.1:9477", "[::1]:9477".
#pragma once

#include <nfbus/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {

struct ListenAddress {
  std::string address;  // numeric, IPv4 or IPv6
  std::uint16_t port = 0;
  bool is_loopback = true;

  bool operator==(const ListenAddress&) const = default;
};

// [any] "localhost" is 127.0.0.1. Error: invalid.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace nfbus::host
