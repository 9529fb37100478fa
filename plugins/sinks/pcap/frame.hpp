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

// Fills an empty frame. NULL, or why there is no such frame: a literal.
//   raw       the packet from its IP header on; other packets have none.
//   nflog     the kernel's message with all its attributes.
//   ethernet  hardware header and packet as they were on the wire: a VLAN tag that the network card or the kernel took
//             out is put back. Only where the kernel gave a hardware header of an Ethernet device; none is made up.
[[nodiscard]] const char* make_frame(const nfbus_event& event, Link link, Frame& frame) noexcept;

}  // namespace pcapsink
