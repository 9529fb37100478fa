// From the kernel's bytes to a decoded event. Everything here is bounds-checked, allocates nothing and never throws.
#pragma once

#include "event/event.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace nfbus::host {

inline constexpr std::size_t kMaxPrefixBytes = 127;  // NF_LOG_PREFIXLEN of linux/netfilter/nf_log.h, without the NUL

// Reads an NFLOG record (struct nfgenmsg and netlink attributes, linux/netfilter/nfnetlink_log.h) into `event`, which
// must be zeroed but for struct_size, and whose pointers then refer into `record`. Sets everything but what only the
// host knows: action, topic, topic_id, interface names, lost_before, fields, and time_ns where the record has none
// (then present lacks NFBUS_HAS_KERNEL_TIME). A broken attribute costs itself alone and is named in decode_error; what
// stands behind one of impossible length is read where the attributes that follow can be told. Returns false when
// `record` is too short for an nfgenmsg: `event` then holds nothing but its kind, the record and decode_error.
bool read_record(std::span<const std::uint8_t> record, Event& event) noexcept;

// The value of an attribute of this type (NFULA_*) in a record, the one that read_record() reads: the last; as far as
// it is there. Empty: there is none.
[[nodiscard]] std::span<const std::uint8_t> find_attribute(std::span<const std::uint8_t> record,
                                                           std::uint16_t type) noexcept;

// Decodes the packet in event.payload (network header first, of event.ether_type) and event.hw_header: sets layers,
// offsets, ports, ip_protocol, packet_size, vlan_* and, for the first broken layer, decode_error. Good layers below a
// broken one stay. decode_error always points to a constant text.
void decode_packet(Event& event) noexcept;

}  // namespace nfbus::host
