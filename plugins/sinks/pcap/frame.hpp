// What of an event is a packet of a capture file, for each link type.
#pragma once

#include "gather.hpp"

#include <nfbus/abi.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace pcapsink {

// The numbers of https://www.tcpdump.org/linktypes.html.
enum class Link : std::uint16_t {
  ethernet = 1,
  raw = 101,  // an IPv4 or IPv6 packet
  nflog = 239,
};

// One packet: its bytes in up to four parts, which belong to the event but for `tag`.
struct Frame {
  Frame() = default;
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() = default;

  Link link = Link::raw;
  std::uint32_t captured_bytes = 0;
  std::uint32_t original_bytes = 0;  // on the wire, where the kernel cut it
  std::array<Bytes, 4> parts;
  std::size_t part_count = 0;
  std::array<std::uint8_t, 4> tag{};  // a VLAN tag that is put back

  void add(Bytes part) noexcept {
    if (part.empty()) return;
    parts.at(part_count++) = part;
    captured_bytes += static_cast<std::uint32_t>(part.size());
  }
};

// Of the link types whose packets lie in one piece: which one that is, or why there is none. Inlined, for it is asked
// of each packet.
[[nodiscard]] inline const char* find_body(const nfbus_event& event, Link link, Bytes& body) noexcept {
  constexpr std::uint16_t kTypeIpv4 = 0x0800;  // EtherTypes: IEEE 802 numbers, as in linux/if_ether.h
  constexpr std::uint16_t kTypeIpv6 = 0x86dd;
  if (link == Link::nflog) {
    body = {event.record.data, event.record.size};
    return nullptr;
  }
  if (event.ether_type != kTypeIpv4 && event.ether_type != kTypeIpv6) return "link \"raw\" has IP packets only";
  body = {event.payload.data, event.payload.size};
  return nullptr;
}

// What the kernel cut off the packet. A message of the kernel is whole, whatever was cut in it: Wireshark shows no
// packet in one that lacks something.
[[nodiscard]] inline std::uint32_t cut_bytes(const nfbus_event& event, Link link) noexcept {
  if (link == Link::nflog) return 0;
  return event.packet_size > event.payload.size ? event.packet_size - static_cast<std::uint32_t>(event.payload.size)
                                                : 0;
}

// Fills an empty frame. NULL, or why there is no such frame: a literal.
//   raw       the packet from its IP header on; other packets have none.
//   nflog     the kernel's message with all its attributes.
//   ethernet  hardware header and packet as they were on the wire: a VLAN tag that the network card or the kernel took
//             out is put back. Only where the kernel gave a hardware header of an Ethernet device; none is made up.
[[nodiscard]] const char* make_frame(const nfbus_event& event, Link link, Frame& frame) noexcept;

}  // namespace pcapsink
