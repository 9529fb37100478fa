// Notes the outermost VLAN tag of an event: IEEE 802.1Q.
#pragma once

#include "decode/ethernet.hpp"
#include "decode/reader.hpp"
#include "event/event.hpp"

namespace nfbus::host {

// The first tag that is noted stays: callers go from the outside in.
inline void note_vlan(Event& event, std::uint16_t protocol, std::uint16_t tci) noexcept {
  if ((event.layers & NFBUS_LAYER_VLAN) != 0) return;
  event.layers |= NFBUS_LAYER_VLAN;
  event.vlan_protocol = protocol;
  event.vlan_tci = tci;
}

// The tag behind an Ethernet header, if there is one and it was captured.
inline void note_vlan_of_frame(Event& event, Bytes frame) noexcept {
  Reader reader(frame);
  const auto ethernet = reader.peek<EthernetHeader>();
  if (!ethernet || !is_vlan_type(ethernet->type()) || !reader.skip(EthernetHeader::kSize)) return;
  if (const auto tag = reader.peek<VlanTag>()) note_vlan(event, ethernet->type(), tag->tci());
}

}  // namespace nfbus::host
