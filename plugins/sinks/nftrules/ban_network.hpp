// The networks that are banned and allowed.
#pragma once

#include <nfbus/result.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace nftrules {

// An IPv4 or IPv6 network; an address is one of full length.
struct Network {
  std::uint8_t family = 0;               // NFPROTO_IPV4, NFPROTO_IPV6
  std::uint8_t prefix = 0;               // bits
  std::array<std::uint8_t, 16> bytes{};  // in network order; of IPv4 the first four

  [[nodiscard]] std::size_t size_bytes() const noexcept;
  // As a set's key.
  [[nodiscard]] std::string key() const { return {reinterpret_cast<const char*>(bytes.data()), size_bytes()}; }

  friend bool operator==(const Network&, const Network&) = default;
};

inline constexpr std::uint8_t kMostBitsV4 = 32;
inline constexpr std::uint8_t kMostBitsV6 = 128;

// "192.0.2.1", "2001:db8::/32"; an IPv4 address in IPv6 (::ffff:192.0.2.1) is the former. Errors: it is neither, or has
// bits behind its prefix.
nfbus::Result<Network> network_of(std::string_view text);
// Without the prefix when it is an address.
std::string to_string(const Network& network);

// The network of that length around this one; a longer prefix than it has leaves it as it is.
Network widened(const Network& network, std::uint8_t prefix);
// Of a set's key.
Network network_of_key(std::uint8_t family, std::string_view key, std::uint8_t prefix);
// Some address is in both.
bool overlap(const Network& a, const Network& b);

}  // namespace nftrules
