#include "capture/egress.hpp"

#include "decode/decode.hpp"

#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace nfbus::host {

namespace {

// NF_NETDEV_EGRESS of linux/netfilter.h; not in every kernel's headers.
constexpr std::uint8_t kEgressHook = 1;

}  // namespace

std::span<const std::uint8_t> without_link_header(std::span<std::uint8_t> record) noexcept {
  const auto packet = find_attribute(record, NFULA_PACKET_HDR);
  const auto link = find_attribute(record, NFULA_L2HDR);
  const auto payload = find_attribute(record, NFULA_PAYLOAD);
  if (packet.size() < sizeof(nfulnl_msg_packet_hdr) || packet[offsetof(nfulnl_msg_packet_hdr, hook)] != kEgressHook) {
    return record;
  }
  if (link.size() < 2 || payload.empty()) return record;
  const std::size_t moved = std::min(link.size(), payload.size());  // less: snaplen cut the header itself
  if (!std::equal(link.begin(), link.begin() + static_cast<std::ptrdiff_t>(moved), payload.begin())) return record;

  const auto place = [&](std::span<const std::uint8_t> part) {
    return record.subspan(static_cast<std::size_t>(part.data() - record.data()), part.size());
  };
  std::memcpy(place(packet).data(), link.data() + link.size() - 2, 2);  // hw_protocol: what follows the last tag
  const auto value = place(payload);
  const auto at = static_cast<std::size_t>(payload.data() - record.data());
  const std::size_t kept = payload.size() - moved;
  const std::size_t old_end = std::min(at + NLA_ALIGN(payload.size()), record.size());
  const std::size_t behind = record.size() - old_end;
  std::memmove(value.data(), value.data() + moved, kept);
  const auto length = static_cast<std::uint16_t>(NLA_HDRLEN + kept);
  std::memcpy(record.data() + at - NLA_HDRLEN + offsetof(nlattr, nla_len), &length, sizeof length);
  if (behind == 0) return record.first(at + kept);
  std::memset(record.data() + at + kept, 0, NLA_ALIGN(kept) - kept);
  std::memmove(record.data() + at + NLA_ALIGN(kept), record.data() + old_end, behind);
  return record.first(at + NLA_ALIGN(kept) + behind);
}

}  // namespace nfbus::host
