// NFLOG datagrams as the kernel makes them, field by field.
#pragma once

#include "capture/messages.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// The values of one logged packet; the payload is a whole IPv4 UDP packet to port 9.
struct Logged {
  std::uint16_t group = 0;
  std::string prefix = "lan:in ";
  std::optional<std::uint32_t> sequence = {};
  std::uint32_t in_index = 0;
  std::uint32_t out_index = 0;
  std::uint32_t phys_in_index = 0;
  std::uint32_t phys_out_index = 0;
  bool timestamp = false;  // 2001-09-09 01:46:40.000007 UTC
};

inline constexpr std::int64_t kTimestampNs = 1'000'000'000'000'007'000;

class DatagramBuilder {
 public:
  DatagramBuilder& packet(const Logged& logged);
  // A netlink message of any other type.
  DatagramBuilder& message(std::uint16_t type, std::string_view body);
  // Cuts the last bytes off, as a too small buffer would.
  DatagramBuilder& cut(std::size_t size_bytes) {
    bytes_.resize(bytes_.size() - size_bytes);
    return *this;
  }
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const noexcept { return bytes_; }

 private:
  void append(const void* data, std::size_t size_bytes);
  void attribute(std::uint16_t type, const void* data, std::size_t size_bytes);

  std::vector<std::uint8_t> bytes_;
};

inline void DatagramBuilder::append(const void* data, std::size_t size_bytes) {
  const auto* const first = static_cast<const std::uint8_t*>(data);
  bytes_.insert(bytes_.end(), first, first + size_bytes);
  bytes_.resize((bytes_.size() + 3) / 4 * 4);
}

inline void DatagramBuilder::attribute(std::uint16_t type, const void* data, std::size_t size_bytes) {
  const nlattr header{.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + size_bytes), .nla_type = type};
  append(&header, sizeof header);
  append(data, size_bytes);
}

inline DatagramBuilder& DatagramBuilder::message(std::uint16_t type, std::string_view body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = type;
  append(&header, sizeof header);
  append(body.data(), body.size());
  return *this;
}

inline DatagramBuilder& DatagramBuilder::packet(const Logged& logged) {
  constexpr std::uint8_t kUdp[] = {0x45, 0,  0, 30, 0, 1,    0,    0, 64, 17, 0,  0, 10, 0,   0,
                                   1,    10, 0, 0,  2, 0x30, 0x39, 0, 9,  0,  10, 0, 0,  'h', 'i'};
  DatagramBuilder body;
  const nfgenmsg generic{.nfgen_family = 2, .version = 0, .res_id = htons(logged.group)};
  body.append(&generic, sizeof generic);
  const nfulnl_msg_packet_hdr header{.hw_protocol = htons(0x0800), .hook = 1, ._pad = 0};
  body.attribute(NFULA_PACKET_HDR, &header, sizeof header);
  body.attribute(NFULA_PREFIX, logged.prefix.c_str(), logged.prefix.size() + 1);
  const auto number = [&](std::uint16_t type, std::uint32_t value) {
    const std::uint32_t big = htonl(value);
    body.attribute(type, &big, sizeof big);
  };
  if (logged.in_index != 0) number(NFULA_IFINDEX_INDEV, logged.in_index);
  if (logged.out_index != 0) number(NFULA_IFINDEX_OUTDEV, logged.out_index);
  if (logged.phys_in_index != 0) number(NFULA_IFINDEX_PHYSINDEV, logged.phys_in_index);
  if (logged.phys_out_index != 0) number(NFULA_IFINDEX_PHYSOUTDEV, logged.phys_out_index);
  if (logged.sequence) number(NFULA_SEQ, *logged.sequence);
  if (logged.timestamp) {
    const nfulnl_msg_packet_timestamp time{.sec = __builtin_bswap64(1'000'000'000), .usec = __builtin_bswap64(7)};
    body.attribute(NFULA_TIMESTAMP, &time, sizeof time);
  }
  body.attribute(NFULA_PAYLOAD, kUdp, sizeof kUdp);
  return message(kPacketMessage, {reinterpret_cast<const char*>(body.bytes_.data()), body.bytes_.size()});
}

}  // namespace nfbus::host
