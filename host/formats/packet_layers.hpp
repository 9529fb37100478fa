// The layers of the `packet` format up to the transport's, as JSON objects of SPR's shapes: gopacket 1.1.19's structs.
#pragma once

#include "decode/headers.hpp"

#include <nfbus/abi.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace nfbus::host {

// Bounds what one line may hold; by default everything.
struct PacketLimits {
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  std::size_t payload_bytes = kAll;  // of each layer's Payload
  std::size_t options = kAll;        // of each header
  std::size_t text_bytes = kAll;     // of each text such as Prefix
};

// The layers of one event. Valid as long as the event. Thread safety: none.
class PacketLayers {
 public:
  // full: with Contents and Payload of each layer.
  PacketLayers(const nfbus_event& event, bool full, const PacketLimits& limits) noexcept;

  // Room that put_layers() may need.
  [[nodiscard]] std::size_t room_bytes() const noexcept;
  // Writes "Ethernet":{..},"VLAN":{..}, and so on to "IP":{..}, each with a comma behind it.
  char* put_layers(char* out) noexcept;

  // Returns what put_layers() found wrong in the first header whose options are broken; empty: nothing.
  [[nodiscard]] std::string_view error() const noexcept {
    return network_error_.empty() ? transport_error_ : network_error_;
  }
  // As in a line without limits; 0 unless full.
  [[nodiscard]] std::size_t network_payload_bytes() const noexcept { return full_ ? network_payload_.size() : 0; }
  [[nodiscard]] std::size_t transport_payload_bytes() const noexcept {
    return full_ && has_transport_ ? transport_payload_.size() : 0;
  }

 private:
  char* put_body(char* out, Bytes contents, Bytes payload) const noexcept;
  char* put_options(char* out, Bytes options, std::string_view what_is_wrong, std::string_view& error) const noexcept;
  char* put_arp(char* out, const ArpHeader& arp) const noexcept;
  char* put_transport(char* out) noexcept;
  char* put_tcp(char* out, const TcpHeader& tcp) noexcept;
  char* put_udp(char* out, const UdpHeader& udp) const noexcept;
  char* put_icmp(char* out, const IcmpHeader& icmp) const noexcept;
  char* put_icmpv6(char* out, const Icmpv6Header& icmp) const noexcept;
  char* put_sctp(char* out, const SctpHeader& sctp) const noexcept;
  char* put_ipv4(char* out, const Ipv4Header& ip) noexcept;
  char* put_ipv6(char* out, const Ipv6Header& ip) const noexcept;

  const nfbus_event& event_;
  const PacketLimits limits_;
  const bool full_;
  bool has_transport_ = false;  // one of which we show an object
  std::optional<Ipv4Header> ipv4_;
  std::optional<Ipv6Header> ipv6_;
  std::optional<Ipv6FragmentHeader> ipv6_fragment_;
  Bytes packet_;             // without padding
  Bytes network_payload_;    // behind the header of IP or ARP
  Bytes transport_payload_;  // behind the transport header
  std::string_view network_error_;
  std::string_view transport_error_;
};

}  // namespace nfbus::host
