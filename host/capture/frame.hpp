// From a captured frame to an NFLOG message: so that a replayed packet is a record like any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

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

// A frame as a capture file has it, and what stands beside it there. Of a DLT_NFLOG frame layer and bytes alone count.
struct CapturedFrame {
  LinkLayer layer = LinkLayer::nflog;
  std::span<const std::uint8_t> bytes;
  std::uint16_t group = 0;
  std::string_view prefix = {};       // the log prefix it is to have: kMaxPrefixBytes are kept
  std::uint32_t interface_index = 0;  // that it came in by, or left by; 0: none
  bool outgoing = false;              // it left
  std::int64_t time_ns = 0;
};

// The most that write_message() may add to a frame.
inline constexpr std::size_t kMessageOverheadBytes = 384;

// Writes `frame` into `room` (frame.bytes.size() + kMessageOverheadBytes or more, aligned to 4) as one NFLOG netlink
// message. A frame whose link header is cut short becomes a message without payload. Payloads above 65,531 bytes, which
// no attribute can hold, are cut. Returns the bytes used, a multiple of 4.
std::size_t write_message(const CapturedFrame& frame, std::span<std::uint8_t> room) noexcept;

}  // namespace nfbus::host
