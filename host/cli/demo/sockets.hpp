// Sockets for the demo's traffic: each call sends one exchange of the plainest kind. Failures are not reported: what
// did not go out is not seen on the terminal, and comes again with the next round.
#pragma once

#include "support/descriptor.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <string_view>

namespace nfbus::host::demo {

// A numeric IPv4 or IPv6 address and a port.
class Address {
 public:
  Address(const char* text, std::uint16_t port) noexcept;
  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const noexcept { return size_; }
  [[nodiscard]] int family() const noexcept { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_;
};

// A datagram, and its answer if `wait` says so and one comes in time.
void udp_exchange(const Address& to, std::string_view text, bool wait) noexcept;
// A whole connection: handshake, request, answer, end.
void tcp_fetch(const Address& to) noexcept;
// The first segment of a handshake, and no second one.
void tcp_knock(const Address& to) noexcept;
// An echo request, and its answer if `wait` says so and one comes in time.
void ping(const Address& to, bool wait) noexcept;
// An ICMPv6 router advertisement (RFC 4861) to all nodes: what a stranger's router says to ours.
void router_advertisement() noexcept;
// A UDP datagram over IPv4 in a frame with a forged hardware address.
void spoofed_datagram() noexcept;

// Sockets that answer on IPv4 and IPv6 alike.
Descriptor udp_server(std::uint16_t port) noexcept;
Descriptor tcp_server(std::uint16_t port) noexcept;
void answer_datagram(const Descriptor& server) noexcept;
void answer_query(const Descriptor& server) noexcept;  // of the DNS: no such name
void answer_connection(const Descriptor& server) noexcept;

}  // namespace nfbus::host::demo
