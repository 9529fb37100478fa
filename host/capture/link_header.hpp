// The link-layer headers of captured frames: tcpdump.org/linktypes.html.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace nfbus::host {

// Holds what a packet's link layer tells.
enum class LinkLayer : std::uint8_t {
  raw_ip = 1,      // LINKTYPE_RAW, _IPV4, _IPV6: no header; the first nibble tells the version
  ethernet = 2,    // LINKTYPE_ETHERNET
  linux_sll = 3,   // LINKTYPE_LINUX_SLL: `tcpdump -i any`
  linux_sll2 = 4,  // LINKTYPE_LINUX_SLL2
  nflog = 5,       // LINKTYPE_NFLOG: the record itself
  null = 6,        // LINKTYPE_NULL: the BSDs' loopback, an address family in the byte order of who wrote it
  loop = 7,        // LINKTYPE_LOOP: OpenBSD's loopback, the family in network byte order
  ppp = 8,         // LINKTYPE_PPP, _PPP_HDLC: with or without address and control bytes
  ppp_pppd = 9,    // LINKTYPE_PPP_PPPD, _PPP_WITH_DIR: PPP with a byte that tells the direction
  pppoe = 10,      // LINKTYPE_PPP_ETHER: from the PPPoE header on
  cisco_hdlc = 11  // LINKTYPE_C_HDLC
};

// [any] The layer for a DLT_ value of libpcap or a LINKTYPE_ value of a file; nothing for those that we do not know.
std::optional<LinkLayer> link_layer(int dlt) noexcept;

// [any] The names of those that we know, for people: "RAW, IPV4, ... and NFLOG".
std::string_view known_link_layers() noexcept;

// What a frame's link header says in the terms of an NFLOG record, and what lies behind it; spans are of the frame.
struct LinkParts {
  std::span<const std::uint8_t> hw_header = {};   // as the kernel tells it: of a VLAN frame without the tags
  std::span<const std::uint8_t> l2_header = {};   // all of it, where hw_header and vlan_tci do not tell all
  std::span<const std::uint8_t> hw_address = {};  // the sender's, up to 8 bytes
  std::optional<std::uint16_t> hw_type = {};      // ARPHRD_*
  std::uint16_t ether_type = 0;                   // of the payload; 0: none that is known
  std::uint32_t interface_index = 0;              // 0: not told
  bool outgoing = false;                          // it left by that interface
  std::optional<std::uint16_t> vlan_tci = {};     // of a VLAN tag that is in neither of the headers
  std::uint16_t vlan_protocol = 0;
  std::span<const std::uint8_t> payload = {};  // from the network header on; empty where the link header is cut short
};

// [any] Takes the link header off a frame. layer is not nflog.
LinkParts split_frame(LinkLayer layer, std::span<const std::uint8_t> frame) noexcept;

}  // namespace nfbus::host
