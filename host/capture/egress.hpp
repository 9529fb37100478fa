// Packets that leave a device: nf_tables' netdev family, hook egress.
#pragma once

#include <cstdint>
#include <span>

#include <linux/netfilter.h>

namespace nfbus::host {

// Whether the kernel may have put the link-layer header before the packet, in the record's payload.
[[nodiscard]] inline bool may_be_egress(std::span<const std::uint8_t> record) noexcept {
  return !record.empty() && record.front() == NFPROTO_NETDEV;  // nfgenmsg.nfgen_family
}

// Makes a record of the egress hook one like those of all other hooks: the payload begins with the network header, and
// the packet header attribute says its type; the link-layer header stands in NFULA_L2HDR already. Changes `record` in
// place and returns it, shorter; others come back as they are, as those of a device without link layer.
[[nodiscard]] std::span<const std::uint8_t> without_link_header(std::span<std::uint8_t> record) noexcept;

}  // namespace nfbus::host
