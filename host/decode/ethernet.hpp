// Ethernet II (IEEE 802.3) and VLAN tags (IEEE 802.1Q, 802.1ad).
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

// EtherTypes: IEEE 802 numbers, as in linux/if_ether.h.
inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherTypeProviderVlan = 0x88a8;
inline constexpr std::uint16_t kEtherTypeOldProviderVlan = 0x9100;

[[nodiscard]] constexpr bool is_vlan_type(std::uint16_t ether_type) noexcept {
  return ether_type == kEtherTypeVlan || ether_type == kEtherTypeProviderVlan ||
         ether_type == kEtherTypeOldProviderVlan;
}

class EthernetHeader : public HeaderView<14> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_ETHERNET;

  [[nodiscard]] std::span<const std::uint8_t, 6> destination() const noexcept { return part<0, 6>(); }
  [[nodiscard]] std::span<const std::uint8_t, 6> source() const noexcept { return part<6, 6>(); }
  // The EtherType, or the tag protocol of a VLAN tag that follows.
  [[nodiscard]] std::uint16_t type() const noexcept { return u16<12>(); }
};

// Holds what follows a tag protocol identifier: tag control information and the next EtherType.
class VlanTag : public HeaderView<4> {
 public:
  using HeaderView::HeaderView;

  [[nodiscard]] std::uint16_t tci() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t type() const noexcept { return u16<2>(); }
};

// Fields of a TCI, such as nfbus_event.vlan_tci.
[[nodiscard]] constexpr std::uint16_t vlan_id(std::uint16_t tci) noexcept { return tci & 0x0fffU; }
[[nodiscard]] constexpr std::uint8_t vlan_priority(std::uint16_t tci) noexcept {
  return static_cast<std::uint8_t>(tci >> 13U);
}
[[nodiscard]] constexpr bool vlan_drop_eligible(std::uint16_t tci) noexcept { return (tci & 0x1000U) != 0; }

}  // namespace nfbus::host
