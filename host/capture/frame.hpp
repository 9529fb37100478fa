// From a captured frame to an NFLOG message: so that a replayed packet is a record like any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace nfbus::host {

// Holds what a packet's link layer tells: tcpdump.org/linktypes.html.
enum class LinkLayer : std::uint8_t {
  raw_ip = 1,      // LINKTYPE_RAW, _IPV4, _IPV6: no header; the first nibble tells the version
  ethernet = 2,    // LINKTYPE_ETHERNET
  linux_sll = 3,   // LINKTYPE_LINUX_SLL: `tcpdump -i any`
  linux_sll2 = 4,  // LINKTYPE_LINUX_SLL2
  nflog = 5,       // LINKTYPE_NFLOG: the record itself
};

// The layer for a DLT_ value of libpcap; nothing for those that we do not know.
std::optional<LinkLayer> link_layer(int dlt) noexcept;

// The most that write_message() may add to a frame.
inline constexpr std::size_t kMessageOverheadBytes = 256;

// Writes `frame` into `room` (frame.size() + kMessageOverheadBytes or more, aligned to 4) as one NFLOG netlink message
// of `group`; a DLT_NFLOG frame keeps its own group. A frame whose link header is cut short becomes a message without
// payload. Payloads above 65,531 bytes, which no attribute can hold, are cut. Returns the bytes used, a multiple of 4.
std::size_t write_message(LinkLayer layer, std::span<const std::uint8_t> frame, std::uint16_t group,
                          std::int64_t time_ns, std::span<std::uint8_t> room) noexcept;

}  // namespace nfbus::host
