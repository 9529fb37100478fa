#include "capture/frame.hpp"

#include "capture/messages.hpp"
#include "decode/decode.hpp"

#include <net/if_arp.h>

#include <pcap/dlt.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <endian.h>

namespace nfbus::host {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMaxAttributeBytes = 0xffff - NLA_HDRLEN;
constexpr std::size_t kEthernetBytes = 14;  // IEEE 802.3: two addresses and a type
constexpr std::size_t kVlanTagBytes = 4;    // IEEE 802.1Q: tag control information and the next type
constexpr std::size_t kSllBytes = 16;       // LINKTYPE_LINUX_SLL
constexpr std::size_t kSll2Bytes = 20;      // LINKTYPE_LINUX_SLL2
constexpr std::uint16_t kTypeIpv4 = 0x0800;
constexpr std::uint16_t kTypeIpv6 = 0x86dd;
constexpr std::uint16_t kTypeVlan = 0x8100;
constexpr std::uint16_t kTypeServiceVlan = 0x88a8;

std::uint16_t read_be16(Bytes bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(bytes[at] << 8U | bytes[at + 1]);
}

std::uint32_t read_be32(Bytes bytes, std::size_t at) noexcept {
  return std::uint32_t{read_be16(bytes, at)} << 16U | read_be16(bytes, at + 2);
}

// What a frame's link header says, and what lies behind it.
struct Parts {
  Bytes hw_header;
  std::optional<std::uint16_t> hw_type;  // ARPHRD_*
  std::uint16_t ether_type = 0;
  std::uint32_t in_index = 0;
  std::optional<std::uint16_t> vlan_tci;
  std::uint16_t vlan_protocol = 0;
  Bytes payload;
};

Parts split_raw(Bytes frame) noexcept {
  Parts parts;
  parts.payload = frame;
  if (!frame.empty()) parts.ether_type = frame[0] >> 4U == 6 ? kTypeIpv6 : kTypeIpv4;
  return parts;
}

Parts split_ethernet(Bytes frame) noexcept {
  Parts parts;
  parts.hw_type = ARPHRD_ETHER;
  parts.hw_header = frame.first(std::min(frame.size(), kEthernetBytes));
  if (frame.size() < kEthernetBytes) return parts;
  parts.ether_type = read_be16(frame, kEthernetBytes - 2);
  parts.payload = frame.subspan(kEthernetBytes);
  // The outer tag is told, as the kernel tells it; inner ones are passed over.
  while ((parts.ether_type == kTypeVlan || parts.ether_type == kTypeServiceVlan) &&
         parts.payload.size() >= kVlanTagBytes) {
    if (!parts.vlan_tci) {
      parts.vlan_tci = read_be16(parts.payload, 0);
      parts.vlan_protocol = parts.ether_type;
    }
    parts.ether_type = read_be16(parts.payload, 2);
    parts.payload = parts.payload.subspan(kVlanTagBytes);
  }
  return parts;
}

Parts split_sll(Bytes frame) noexcept {
  Parts parts;
  if (frame.size() < kSllBytes) return parts;
  parts.hw_type = read_be16(frame, 2);
  parts.ether_type = read_be16(frame, 14);
  parts.payload = frame.subspan(kSllBytes);
  return parts;
}

Parts split_sll2(Bytes frame) noexcept {
  Parts parts;
  if (frame.size() < kSll2Bytes) return parts;
  parts.ether_type = read_be16(frame, 0);
  parts.in_index = read_be32(frame, 4);
  parts.hw_type = read_be16(frame, 8);
  parts.payload = frame.subspan(kSll2Bytes);
  return parts;
}

Parts split(LinkLayer layer, Bytes frame) noexcept {
  switch (layer) {
    case LinkLayer::ethernet: return split_ethernet(frame);
    case LinkLayer::linux_sll: return split_sll(frame);
    case LinkLayer::linux_sll2: return split_sll2(frame);
    case LinkLayer::raw_ip:
    case LinkLayer::nflog: break;
  }
  return split_raw(frame);
}

// Appends netlink structures; the caller has made sure of the room.
class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> room) noexcept : room_(room) {}

  void bytes(const void* data, std::size_t size) noexcept {
    if (size != 0) std::memcpy(room_.data() + used_, data, size);
    used_ += size;
    const std::size_t padding = (NLMSG_ALIGNTO - used_ % NLMSG_ALIGNTO) % NLMSG_ALIGNTO;
    std::memset(room_.data() + used_, 0, padding);
    used_ += padding;
  }
  void attribute(std::uint16_t type, const void* data, std::size_t size) noexcept {
    const nlattr header{.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + size), .nla_type = type};
    bytes(&header, sizeof header);
    bytes(data, size);
  }
  void attribute_be16(std::uint16_t type, std::uint16_t value) noexcept {
    const std::uint16_t big = htons(value);
    attribute(type, &big, sizeof big);
  }
  void attribute_be32(std::uint16_t type, std::uint32_t value) noexcept {
    const std::uint32_t big = htonl(value);
    attribute(type, &big, sizeof big);
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::span<std::uint8_t> room_;
  std::size_t used_ = 0;
};

std::uint8_t family_of(std::uint16_t ether_type) noexcept {
  if (ether_type == kTypeIpv4) return AF_INET;
  return ether_type == kTypeIpv6 ? AF_INET6 : AF_UNSPEC;
}

void write_parts(const CapturedFrame& frame, const Parts& parts, Writer& out) noexcept {
  const nfgenmsg header{
      .nfgen_family = family_of(parts.ether_type), .version = NFNETLINK_V0, .res_id = htons(frame.group)};
  out.bytes(&header, sizeof header);
  const nfulnl_msg_packet_hdr packet{.hw_protocol = htons(parts.ether_type), .hook = 0, ._pad = 0};
  out.attribute(NFULA_PACKET_HDR, &packet, sizeof packet);
  if (!frame.prefix.empty()) {
    std::array<char, kMaxPrefixBytes + 1> prefix{};
    out.attribute(NFULA_PREFIX, prefix.data(), frame.prefix.copy(prefix.data(), kMaxPrefixBytes) + 1);
  }
  if (frame.interface_index != 0) {
    out.attribute_be32(frame.outgoing ? NFULA_IFINDEX_OUTDEV : NFULA_IFINDEX_INDEV, frame.interface_index);
  } else if (parts.in_index != 0)
    out.attribute_be32(NFULA_IFINDEX_INDEV, parts.in_index);
  if (parts.hw_type) out.attribute_be16(NFULA_HWTYPE, *parts.hw_type);
  if (!parts.hw_header.empty()) {
    out.attribute_be16(NFULA_HWLEN, static_cast<std::uint16_t>(parts.hw_header.size()));
    out.attribute(NFULA_HWHEADER, parts.hw_header.data(), parts.hw_header.size());
  }
  if (parts.vlan_tci) {
    std::array<std::uint8_t, 64> room{};
    Writer nested(room);
    nested.attribute_be16(NFULA_VLAN_PROTO, parts.vlan_protocol);
    nested.attribute_be16(NFULA_VLAN_TCI, *parts.vlan_tci);
    out.attribute(NFULA_VLAN | NLA_F_NESTED, room.data(), nested.used());
  }
  const nfulnl_msg_packet_timestamp time{
      .sec = htobe64(static_cast<std::uint64_t>(frame.time_ns / 1'000'000'000)),
      .usec = htobe64(static_cast<std::uint64_t>(frame.time_ns / 1'000 % 1'000'000))};
  out.attribute(NFULA_TIMESTAMP, &time, sizeof time);
  out.attribute(NFULA_PAYLOAD, parts.payload.data(), std::min(parts.payload.size(), kMaxAttributeBytes));
}

}  // namespace

std::optional<LinkLayer> link_layer(int dlt) noexcept {
  switch (dlt) {
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6: return LinkLayer::raw_ip;
    case DLT_EN10MB: return LinkLayer::ethernet;
    case DLT_LINUX_SLL: return LinkLayer::linux_sll;
    case DLT_LINUX_SLL2: return LinkLayer::linux_sll2;
    case DLT_NFLOG: return LinkLayer::nflog;
    default: return std::nullopt;
  }
}

std::size_t write_message(const CapturedFrame& frame, std::span<std::uint8_t> room) noexcept {
  Writer out(room);
  nlmsghdr header{};
  out.bytes(&header, sizeof header);
  std::size_t length = 0;
  if (frame.layer == LinkLayer::nflog) {
    length = out.used() + frame.bytes.size();
    out.bytes(frame.bytes.data(), frame.bytes.size());
  } else {
    write_parts(frame, split(frame.layer, frame.bytes), out);
    length = out.used();
  }
  header.nlmsg_len = static_cast<std::uint32_t>(length);
  header.nlmsg_type = kPacketMessage;
  std::memcpy(room.data(), &header, sizeof header);
  return out.used();
}

}  // namespace nfbus::host
