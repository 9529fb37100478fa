#include "capture/frame.hpp"

#include "capture/messages.hpp"
#include "decode/decode.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <endian.h>

namespace nfbus::host {

namespace {

constexpr std::size_t kMaxAttributeBytes = 0xffff - NLA_HDRLEN;
constexpr std::uint16_t kTypeIpv4 = 0x0800;
constexpr std::uint16_t kTypeIpv6 = 0x86dd;

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

void write_parts(const CapturedFrame& frame, const LinkParts& parts, Writer& out) noexcept {
  const nfgenmsg header{
      .nfgen_family = family_of(parts.ether_type), .version = NFNETLINK_V0, .res_id = htons(frame.group)};
  out.bytes(&header, sizeof header);
  const nfulnl_msg_packet_hdr packet{.hw_protocol = htons(parts.ether_type), .hook = 0, ._pad = 0};
  out.attribute(NFULA_PACKET_HDR, &packet, sizeof packet);
  if (!frame.prefix.empty()) {
    std::array<char, kMaxPrefixBytes + 1> prefix{};
    out.attribute(NFULA_PREFIX, prefix.data(), frame.prefix.copy(prefix.data(), kMaxPrefixBytes) + 1);
  }
  const std::uint32_t interface_index = frame.interface_index != 0 ? frame.interface_index : parts.interface_index;
  const bool outgoing = frame.outgoing || parts.outgoing;
  if (interface_index != 0) out.attribute_be32(outgoing ? NFULA_IFINDEX_OUTDEV : NFULA_IFINDEX_INDEV, interface_index);
  if (parts.hw_type) out.attribute_be16(NFULA_HWTYPE, *parts.hw_type);
  if (!parts.hw_header.empty()) {
    out.attribute_be16(NFULA_HWLEN, static_cast<std::uint16_t>(parts.hw_header.size()));
    out.attribute(NFULA_HWHEADER, parts.hw_header.data(), parts.hw_header.size());
  }
  if (!parts.hw_address.empty()) {
    nfulnl_msg_packet_hw address{};
    address.hw_addrlen = htons(static_cast<std::uint16_t>(parts.hw_address.size()));
    std::copy(parts.hw_address.begin(), parts.hw_address.end(), address.hw_addr);
    out.attribute(NFULA_HWADDR, &address, sizeof address);
  }
  if (!parts.l2_header.empty()) out.attribute(NFULA_L2HDR, parts.l2_header.data(), parts.l2_header.size());
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

std::size_t write_message(const CapturedFrame& frame, std::span<std::uint8_t> room) noexcept {
  Writer out(room);
  nlmsghdr header{};
  out.bytes(&header, sizeof header);
  std::size_t length = 0;
  if (frame.layer == LinkLayer::nflog) {
    length = out.used() + frame.bytes.size();
    out.bytes(frame.bytes.data(), frame.bytes.size());
  } else {
    write_parts(frame, split_frame(frame.layer, frame.bytes), out);
    length = out.used();
  }
  header.nlmsg_len = static_cast<std::uint32_t>(length);
  header.nlmsg_type = kPacketMessage;
  std::memcpy(room.data(), &header, sizeof header);
  return out.used();
}

}  // namespace nfbus::host
