// ARP for IPv4 over Ethernet-like links: RFC 826.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class ArpHeader : public HeaderView<28> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_ARP;

  [[nodiscard]] std::uint16_t hardware_type() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t protocol_type() const noexcept { return u16<2>(); }
  [[nodiscard]] std::uint8_t hardware_size_bytes() const noexcept { return u8<4>(); }
  [[nodiscard]] std::uint8_t protocol_size_bytes() const noexcept { return u8<5>(); }
  [[nodiscard]] std::uint16_t operation() const noexcept { return u16<6>(); }
  [[nodiscard]] std::span<const std::uint8_t, 6> sender_hardware() const noexcept { return part<8, 6>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> sender_address() const noexcept { return part<14, 4>(); }
  [[nodiscard]] std::span<const std::uint8_t, 6> target_hardware() const noexcept { return part<18, 6>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> target_address() const noexcept { return part<24, 4>(); }
};

}  // namespace nfbus::host
