// The link layer of a packet: which bytes of what the kernel gave as hardware header are one.
#pragma once

#include "event/event.hpp"

namespace nfbus::host {

// Needs the record's attributes, and the payload as the record has it. Sets NFBUS_LAYER_ETHERNET and vlan_*, and cuts
// hw_header to the header's own size. What is no header of this packet is taken out, with hw_address, which the kernel
// read from it: that of a device without link layer; bytes of the packet itself; an Ethernet header of another protocol
// than the packet's. decode_error is set when an Ethernet header is cut short.
void decode_link(Event& event) noexcept;

}  // namespace nfbus::host
