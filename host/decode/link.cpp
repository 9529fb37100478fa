// What the kernel copies as hardware header (nfnetlink_log.c): as many bytes as the headers of the packet's device
// have, from where the last device that set a header left it. Where the two devices differ, these bytes may be
// anything.
#include "decode/link.hpp"

#include "decode/fail.hpp"
#include "decode/headers.hpp"
#include "decode/vlan.hpp"

#include <net/if_arp.h>

#include <linux/netfilter.h>

#include <algorithm>
#include <cstring>

namespace nfbus::host {
namespace {

// Of linux/if_arp.h: devices whose packets begin with the network header.
constexpr bool has_no_link_layer(std::uint16_t hw_type) noexcept {
  switch (hw_type) {
    case 256:     // ARPHRD_SLIP
    case 257:     // ARPHRD_CSLIP
    case 258:     // ARPHRD_SLIP6
    case 259:     // ARPHRD_CSLIP6
    case 512:     // ARPHRD_PPP: its two or four bytes are gone before netfilter sees the packet
    case 519:     // ARPHRD_RAWIP
    case 768:     // ARPHRD_TUNNEL
    case 769:     // ARPHRD_TUNNEL6
    case 776:     // ARPHRD_SIT
    case 777:     // ARPHRD_IPDDP
    case 778:     // ARPHRD_IPGRE
    case 779:     // ARPHRD_PIMREG
    case 823:     // ARPHRD_IP6GRE
    case 0xfffe:  // ARPHRD_NONE: tun, WireGuard
    case 0xffff:  // ARPHRD_VOID
      return true;
    default: return false;
  }
}

// Bridges have Ethernet ports only, and neither they nor a device's egress hook give a hardware type when a packet
// leaves.
bool is_ethernet(const Event& event) noexcept {
  if ((event.present & NFBUS_HAS_HW_TYPE) != 0) return event.hw_type == ARPHRD_ETHER;
  return event.family == NFPROTO_BRIDGE || event.family == NFPROTO_NETDEV;
}

// Whether the packet's own first bytes were taken for a header, as for a packet that came from a device without one;
// or those of a frame that a tunnel has wrapped in this packet.
bool is_part_of_packet(const Event& event, Bytes header) noexcept {
  constexpr std::size_t kTunnelBytes = 160;  // IPv6, extension headers, UDP and whatever a tunnel puts before a frame
  constexpr std::size_t kLeastBytes = 4;     // fewer may be alike by chance
  const Bytes payload = to_bytes(event.payload);
  const Bytes begin = header.first(std::min({header.size(), payload.size(), EthernetHeader::kSize}));
  if (begin.size() < kLeastBytes) return false;
  if (std::equal(begin.begin(), begin.end(), payload.begin())) return true;
  const bool may_be_wrapped = event.hook == NF_INET_POST_ROUTING && event.family != NFPROTO_BRIDGE &&
                              event.family != NFPROTO_NETDEV && begin.size() == EthernetHeader::kSize;
  if (!may_be_wrapped) return false;
  return ::memmem(payload.data(), std::min(payload.size(), kTunnelBytes), begin.data(), begin.size()) != nullptr;
}

struct FrameType {
  std::uint16_t type;        // behind the tags that are in the header
  std::size_t header_bytes;  // with these tags
};

FrameType frame_type(Bytes header) noexcept {
  std::size_t end = EthernetHeader::kSize;
  std::uint16_t type = load_be16(header.subspan<12, 2>());
  while (is_vlan_type(type) && header.size() >= end + VlanTag::kSize) {
    type = load_be16(header.subspan(end + 2).first<2>());
    end += VlanTag::kSize;
  }
  return {.type = type, .header_bytes = end};
}

// Types below are lengths: IEEE 802.3. The kernel then has numbers of its own (linux/if_ether.h: ETH_P_802_3 and others
// below that), which stand for no protocol of the header's.
constexpr std::uint16_t kLeastType = 0x0600;

bool is_of_protocol(const Event& event, std::uint16_t type) noexcept {
  if (type == event.ether_type) return true;
  if (type < kLeastType) return event.ether_type < kLeastType;
  // The tag itself stands in an attribute of its own.
  return is_vlan_type(type) && (event.layers & NFBUS_LAYER_VLAN) != 0 && event.vlan_protocol == type;
}

// Whether a few bytes, without a look at more, tell all there is to know of a header: it is of the usual size and not
// the packet itself, and of the packet's own protocol, or has none. So are most.
bool is_plain(const Event& event) noexcept {
  constexpr std::size_t kCompared = 4;
  if (event.hw_header.size != EthernetHeader::kSize || event.payload.size < kCompared) return false;
  if (event.hook == NF_INET_POST_ROUTING) return false;
  if (std::memcmp(event.hw_header.data, event.payload.data, kCompared) == 0) return false;
  if (event.hw_type == ARPHRD_LOOPBACK) return true;
  return event.hw_type == ARPHRD_ETHER && load_be16(to_bytes(event.hw_header).subspan<12, 2>()) == event.ether_type;
}

void take_out(Event& event) noexcept {
  event.hw_header = {};
  event.hw_address = {};
}

}  // namespace

void decode_link(Event& event) noexcept {
  if (is_plain(event)) [[likely]] {
    if (event.hw_type == ARPHRD_ETHER) event.layers |= NFBUS_LAYER_ETHERNET;
    return;
  }
  if ((event.present & NFBUS_HAS_HW_TYPE) != 0 && has_no_link_layer(event.hw_type)) return take_out(event);
  const Bytes header = to_bytes(event.hw_header);
  if (header.empty()) return;
  if (is_part_of_packet(event, header)) return take_out(event);
  if (!is_ethernet(event)) return;
  if (header.size() < EthernetHeader::kSize) return fail(event, NFBUS_TEXT("Ethernet: header cut short"));
  const FrameType frame = frame_type(header);
  if (!is_of_protocol(event, frame.type)) return take_out(event);
  event.hw_header.size = frame.header_bytes;
  event.layers |= NFBUS_LAYER_ETHERNET;
  note_vlan_of_frame(event, to_bytes(event.hw_header));
}

}  // namespace nfbus::host
