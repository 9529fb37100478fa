// The headers of a decoded event, for formats and matchers: views at the offsets that decode_packet() left. Nothing is
// decoded again but the chain of extension headers, for those who ask for a header in it.
// Everything here is valid as long as the event, checks its bounds again and is safe from any thread.
#pragma once

#include "decode/arp.hpp"
#include "decode/ethernet.hpp"
#include "decode/icmp.hpp"
#include "decode/icmpv6.hpp"
#include "decode/ip.hpp"
#include "decode/ipsec.hpp"
#include "decode/ipv4.hpp"
#include "decode/ipv6.hpp"
#include "decode/reader.hpp"
#include "decode/sctp.hpp"
#include "decode/tcp.hpp"
#include "decode/udp.hpp"

#include <nfbus/abi.h>

#include <algorithm>
#include <optional>
#include <type_traits>

namespace nfbus::host {

[[nodiscard]] inline Bytes to_bytes(nfbus_bytes bytes) noexcept { return {bytes.data, bytes.size}; }

// The bytes [begin, end), as far as there are any.
[[nodiscard]] inline Bytes clamped(Bytes bytes, std::size_t begin, std::size_t end) noexcept {
  end = std::min(end, bytes.size());
  return begin < end ? bytes.subspan(begin, end - begin) : Bytes{};
}

template <class Header>
[[nodiscard]] std::optional<Header> find_header(const nfbus_event& event) noexcept;

// From the network header to the end of the IP packet as captured: the payload without padding.
[[nodiscard]] inline Bytes packet_bytes(const nfbus_event& event) noexcept {
  const Bytes payload = to_bytes(event.payload);
  if (const auto ipv4 = find_header<Ipv4Header>(event)) return without_padding(*ipv4, payload);
  if (const auto ipv6 = find_header<Ipv6Header>(event)) return without_padding(*ipv6, payload);
  return payload;
}

// The first header of `protocol` among AH (either version) and IPv6's extension headers; none behind a broken one.
template <class Header>
[[nodiscard]] std::optional<Header> find_extension(const nfbus_event& event, std::uint8_t protocol) noexcept {
  const auto walk = [protocol](HeaderChain chain) -> std::optional<Header> {
    while (chain.at_extension()) {
      const auto header = chain.reader().peek<Header>();
      const bool found = chain.protocol() == protocol;
      if (!chain.skip()) return std::nullopt;
      if (found) return header;
    }
    return std::nullopt;
  };
  const Bytes payload = to_bytes(event.payload);
  if (const auto ipv6 = find_header<Ipv6Header>(event)) return walk({*ipv6, without_padding(*ipv6, payload)});
  if (const auto ipv4 = find_header<Ipv4Header>(event)) return walk({*ipv4, without_padding(*ipv4, payload)});
  return std::nullopt;
}

// The header of a layer, none when the event does not have it: find_header<TcpHeader>(event).
template <class Header>
[[nodiscard]] std::optional<Header> find_header(const nfbus_event& event) noexcept {
  if ((event.layers & Header::kLayer) == 0) return std::nullopt;
  if constexpr (std::is_same_v<Header, EthernetHeader>) {
    return Reader(to_bytes(event.hw_header)).peek<Header>();
  } else if constexpr (std::is_same_v<Header, AhHeader>) {
    return find_extension<Header>(event, kProtocolAh);
  } else if constexpr (std::is_same_v<Header, ArpHeader> || std::is_same_v<Header, Ipv4Header> ||
                       std::is_same_v<Header, Ipv6Header>) {
    return Reader(to_bytes(event.payload)).peek<Header>();
  } else {
    return Reader(to_bytes(event.payload), event.transport_offset).peek<Header>();
  }
}

// IPv6's fragment header, of first and later fragments.
[[nodiscard]] inline std::optional<Ipv6FragmentHeader> find_ipv6_fragment(const nfbus_event& event) noexcept {
  if ((event.layers & NFBUS_LAYER_IPV6) == 0) return std::nullopt;
  return find_extension<Ipv6FragmentHeader>(event, kProtocolFragment);
}

// Part of a packet, be it the first: what stands behind the IP headers is not whole.
[[nodiscard]] inline bool is_fragment(const nfbus_event& event) noexcept {
  if ((event.layers & NFBUS_LAYER_FRAGMENT) != 0) return true;
  if (const auto ipv4 = find_header<Ipv4Header>(event)) return (ipv4->flags() & Ipv4Header::kMoreFragments) != 0;
  const auto fragment = find_ipv6_fragment(event);
  return fragment && fragment->more_fragments();
}

// Undecoded; empty: none.
[[nodiscard]] inline Bytes ipv4_options(const nfbus_event& event) noexcept {
  const auto header = find_header<Ipv4Header>(event);
  return header ? clamped(packet_bytes(event), Ipv4Header::kSize, header->size_bytes()) : Bytes{};
}

// Undecoded, as far as captured; empty: none.
[[nodiscard]] inline Bytes tcp_options(const nfbus_event& event) noexcept {
  const auto header = find_header<TcpHeader>(event);
  if (!header) return {};
  const std::size_t begin = event.transport_offset;
  return clamped(packet_bytes(event), begin + TcpHeader::kSize, begin + header->size_bytes());
}

// A message of a packet, as far as it was captured. Valid as long as the event.
struct CarriedMessage {
  Bytes bytes = {};
  std::size_t wire_bytes = 0;  // its length on the wire; more than there are bytes: snaplen cut it
};

// Returns what the transport header carries, as far as captured; for UDP not beyond its own length.
[[nodiscard]] inline Bytes transport_data(const nfbus_event& event) noexcept {
  if (event.data_offset == NFBUS_NO_OFFSET) return {};
  const Bytes packet = packet_bytes(event);
  const auto udp = find_header<UdpHeader>(event);
  const std::size_t end =
      udp && udp->length() != 0 ? std::size_t{event.transport_offset} + udp->length() : packet.size();
  return clamped(packet, event.data_offset, end);
}

// As transport_data(), with its length on the wire.
[[nodiscard]] inline CarriedMessage carried_data(const nfbus_event& event) noexcept {
  const Bytes data = transport_data(event);
  const std::size_t wire_end = std::max<std::size_t>(event.packet_size, event.payload.size);
  if (data.empty() || wire_end == event.payload.size) return {.bytes = data, .wire_bytes = data.size()};
  const auto udp = find_header<UdpHeader>(event);
  const std::size_t end =
      udp && udp->length() != 0 ? std::min(wire_end, std::size_t{event.transport_offset} + udp->length()) : wire_end;
  return {.bytes = data, .wire_bytes = end - event.data_offset};
}

}  // namespace nfbus::host
