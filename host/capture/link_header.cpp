#include "capture/link_header.hpp"

#include "decode/ethernet.hpp"
#include "decode/reader.hpp"

#include <net/if_arp.h>

#include <pcap/dlt.h>

#include <algorithm>

namespace nfbus::host {

namespace {

constexpr std::size_t kMaxVlanTags = 16;  // more stay in the payload, where decoding steps over them
constexpr std::size_t kSllBytes = 16;     // LINKTYPE_LINUX_SLL
constexpr std::size_t kSll2Bytes = 20;    // LINKTYPE_LINUX_SLL2
constexpr std::size_t kSllAddressBytes = 8;
constexpr std::uint8_t kSllOutgoing = 4;  // PACKET_OUTGOING of linux/if_packet.h
constexpr std::size_t kFamilyBytes = 4;   // LINKTYPE_NULL, LINKTYPE_LOOP
constexpr std::size_t kCiscoBytes = 4;    // RFC 1547, section 4.3.1: address, control, type
constexpr std::size_t kPppoeBytes = 6;    // RFC 2516, section 4

constexpr std::uint16_t kTypePppoeDiscovery = 0x8863;
constexpr std::uint16_t kTypePppoeSession = 0x8864;

LinkParts split_raw(Bytes frame) noexcept {
  LinkParts parts;
  parts.payload = frame;
  if (!frame.empty()) parts.ether_type = frame[0] >> 4U == 6 ? kEtherTypeIpv6 : kEtherTypeIpv4;
  return parts;
}

// The one tag that most frames have is told beside the header, as a network card does. Of several the kernel would tell
// one and leave the others in the payload; there the whole header is told, so that nothing of it is lost, and the
// payload is the packet for whoever reads the record.
LinkParts split_ethernet(Bytes frame) noexcept {
  LinkParts parts;
  parts.hw_type = ARPHRD_ETHER;
  parts.hw_header = frame.first(std::min(frame.size(), EthernetHeader::kSize));
  if (frame.size() < EthernetHeader::kSize) return parts;
  parts.ether_type = load_be16(frame.subspan(EthernetHeader::kSize - 2).first<2>());
  parts.payload = frame.subspan(EthernetHeader::kSize);
  const std::uint16_t outer = parts.ether_type;
  std::size_t tags = 0;
  while (is_vlan_type(parts.ether_type) && parts.payload.size() >= VlanTag::kSize && tags < kMaxVlanTags) {
    parts.ether_type = load_be16(parts.payload.subspan(2).first<2>());
    parts.payload = parts.payload.subspan(VlanTag::kSize);
    ++tags;
  }
  if (tags == 1 && !is_vlan_type(parts.ether_type)) {
    parts.vlan_tci = load_be16(frame.subspan(EthernetHeader::kSize).first<2>());
    parts.vlan_protocol = outer;
  } else if (tags != 0) {
    parts.l2_header = frame.first(EthernetHeader::kSize + tags * VlanTag::kSize);
  }
  return parts;
}

// The sender's address, as the kernel tells it of what comes in.
Bytes sender_of(std::size_t size_bytes, Bytes address) noexcept {
  return address.first(std::min({size_bytes, kSllAddressBytes, address.size()}));
}

LinkParts split_sll(Bytes frame) noexcept {
  LinkParts parts;
  if (frame.size() < kSllBytes) return parts;
  parts.outgoing = load_be16(frame.subspan(0).first<2>()) == kSllOutgoing;
  parts.hw_type = load_be16(frame.subspan(2).first<2>());
  if (!parts.outgoing)
    parts.hw_address = sender_of(load_be16(frame.subspan(4).first<2>()), frame.subspan(6, kSllAddressBytes));
  parts.ether_type = load_be16(frame.subspan(14).first<2>());
  parts.payload = frame.subspan(kSllBytes);
  return parts;
}

LinkParts split_sll2(Bytes frame) noexcept {
  LinkParts parts;
  if (frame.size() < kSll2Bytes) return parts;
  parts.ether_type = load_be16(frame.subspan(0).first<2>());
  parts.interface_index = load_be32(frame.subspan(4).first<4>());
  parts.hw_type = load_be16(frame.subspan(8).first<2>());
  parts.outgoing = frame[10] == kSllOutgoing;
  if (!parts.outgoing) parts.hw_address = sender_of(frame[11], frame.subspan(12, kSllAddressBytes));
  parts.payload = frame.subspan(kSll2Bytes);
  return parts;
}

// AF_INET is 2 everywhere; AF_INET6 is NetBSD's and OpenBSD's, FreeBSD's, Darwin's.
std::uint16_t type_of_family(std::uint32_t family) noexcept {
  switch (family) {
    case 2: return kEtherTypeIpv4;
    case 24:
    case 28:
    case 30: return kEtherTypeIpv6;
    default: return 0;
  }
}

// A family fits into a byte, so a value beyond that is one that was written in the other byte order.
LinkParts split_null(Bytes frame) noexcept {
  LinkParts parts;
  if (frame.size() < kFamilyBytes) return parts;
  const std::uint32_t family = load_be32(frame.subspan(0).first<4>());
  parts.ether_type = type_of_family(family > 0xff ? __builtin_bswap32(family) : family);
  parts.payload = frame.subspan(kFamilyBytes);
  return parts;
}

LinkParts split_loop(Bytes frame) noexcept {
  LinkParts parts;
  if (frame.size() < kFamilyBytes) return parts;
  parts.ether_type = type_of_family(load_be32(frame.subspan(0).first<4>()));
  parts.payload = frame.subspan(kFamilyBytes);
  return parts;
}

// RFC 1661, section 2: one byte where it is odd, which a compressed protocol is; else two. Of a protocol that has no
// EtherType the payload begins with this field.
void take_ppp_protocol(Bytes frame, LinkParts& parts) noexcept {
  parts.payload = {};
  if (frame.empty()) return;
  const std::size_t size_bytes = (frame[0] & 1U) != 0 ? 1 : 2;
  if (frame.size() < size_bytes) return;
  const std::uint16_t protocol = size_bytes == 1 ? frame[0] : load_be16(frame.subspan(0).first<2>());
  if (protocol == 0x0021) parts.ether_type = kEtherTypeIpv4;  // RFC 1332
  if (protocol == 0x0057) parts.ether_type = kEtherTypeIpv6;  // RFC 5072
  parts.payload = parts.ether_type != 0 ? frame.subspan(size_bytes) : frame;
}

LinkParts split_cisco(Bytes frame) noexcept {
  LinkParts parts;
  parts.hw_type = ARPHRD_CISCO;
  if (frame.size() < kCiscoBytes) return parts;
  parts.ether_type = load_be16(frame.subspan(2).first<2>());
  parts.payload = frame.subspan(kCiscoBytes);
  return parts;
}

constexpr std::uint8_t kPppAddress = 0xff;  // RFC 1662, section 3.1
constexpr std::uint8_t kPppControl = 0x03;

bool has_address_and_control(Bytes frame) noexcept {
  return frame.size() >= 2 && frame[0] == kPppAddress && frame[1] == kPppControl;
}

LinkParts split_ppp(Bytes frame) noexcept {
  constexpr std::uint8_t kCiscoUnicast = 0x0f;
  constexpr std::uint8_t kCiscoBroadcast = 0x8f;
  // No protocol of PPP begins with 0f or 8f and goes on with 00: an address and a control byte of Cisco's framing.
  if (frame.size() >= 2 && (frame[0] == kCiscoUnicast || frame[0] == kCiscoBroadcast) && frame[1] == 0) {
    return split_cisco(frame);
  }
  LinkParts parts;
  parts.hw_type = ARPHRD_PPP;
  take_ppp_protocol(has_address_and_control(frame) ? frame.subspan(2) : frame, parts);
  return parts;
}

// The direction stands in place of the address byte (the filters of Linux's pppd), or before it.
LinkParts split_ppp_pppd(Bytes frame) noexcept {
  LinkParts parts;
  parts.hw_type = ARPHRD_PPP;
  if (frame.empty()) return parts;
  parts.outgoing = frame[0] != 0;
  Bytes rest = frame.subspan(1);
  if (has_address_and_control(rest)) {
    rest = rest.subspan(2);
  } else if (!rest.empty() && rest[0] == kPppControl) {
    rest = rest.subspan(1);
  }
  take_ppp_protocol(rest, parts);
  return parts;
}

// What carries no IP is told as the PPPoE frame that it is.
LinkParts split_pppoe(Bytes frame) noexcept {
  LinkParts parts;
  if (frame.size() < kPppoeBytes) return parts;
  const bool is_session = frame[1] == 0;
  if (is_session) take_ppp_protocol(frame.subspan(kPppoeBytes), parts);
  if (parts.ether_type != 0) return parts;
  parts.ether_type = is_session ? kTypePppoeSession : kTypePppoeDiscovery;
  parts.payload = frame;
  return parts;
}

}  // namespace

std::optional<LinkLayer> link_layer(int dlt) noexcept {
  switch (dlt) {
    case DLT_RAW:  // 12 or 14, by system
    case 14:
    case 101:  // LINKTYPE_RAW
    case DLT_IPV4:
    case DLT_IPV6: return LinkLayer::raw_ip;
    case DLT_EN10MB: return LinkLayer::ethernet;
    case DLT_LINUX_SLL: return LinkLayer::linux_sll;
    case DLT_LINUX_SLL2: return LinkLayer::linux_sll2;
    case DLT_NFLOG: return LinkLayer::nflog;
    case DLT_NULL: return LinkLayer::null;
    case DLT_LOOP: return LinkLayer::loop;
    case DLT_PPP:
    case DLT_PPP_SERIAL: return LinkLayer::ppp;
    case DLT_PPP_PPPD:
    case DLT_PPP_WITH_DIR: return LinkLayer::ppp_pppd;
    case DLT_PPP_ETHER: return LinkLayer::pppoe;
    case DLT_C_HDLC: return LinkLayer::cisco_hdlc;
    default: return std::nullopt;
  }
}

std::string_view known_link_layers() noexcept {
  return "RAW, IPV4, IPV6, EN10MB, LINUX_SLL, LINUX_SLL2, NULL, LOOP, PPP, PPP_SERIAL, PPP_PPPD, PPP_WITH_DIR, "
         "PPP_ETHER, C_HDLC and NFLOG";
}

LinkParts split_frame(LinkLayer layer, Bytes frame) noexcept {
  switch (layer) {
    case LinkLayer::ethernet: return split_ethernet(frame);
    case LinkLayer::linux_sll: return split_sll(frame);
    case LinkLayer::linux_sll2: return split_sll2(frame);
    case LinkLayer::null: return split_null(frame);
    case LinkLayer::loop: return split_loop(frame);
    case LinkLayer::ppp: return split_ppp(frame);
    case LinkLayer::ppp_pppd: return split_ppp_pppd(frame);
    case LinkLayer::pppoe: return split_pppoe(frame);
    case LinkLayer::cisco_hdlc: return split_cisco(frame);
    case LinkLayer::raw_ip:
    case LinkLayer::nflog: break;
  }
  return split_raw(frame);
}

}  // namespace nfbus::host
