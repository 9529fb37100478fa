// ICMP: RFC 792, RFC 1191 (MTU).
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class IcmpHeader : public HeaderView<8> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_ICMP;

  static constexpr std::uint8_t kEchoReply = 0;
  static constexpr std::uint8_t kUnreachable = 3;
  static constexpr std::uint8_t kRedirect = 5;
  static constexpr std::uint8_t kEcho = 8;
  static constexpr std::uint8_t kParameterProblem = 12;
  static constexpr std::uint8_t kCodeFragmentationNeeded = 4;  // of kUnreachable

  [[nodiscard]] std::uint8_t type() const noexcept { return u8<0>(); }
  [[nodiscard]] std::uint8_t code() const noexcept { return u8<1>(); }
  [[nodiscard]] std::uint16_t checksum() const noexcept { return u16<2>(); }
  // The last four bytes, by type: id() and sequence() of echoes, gateway() of redirects, mtu() where fragmentation is
  // needed, pointer() of a parameter problem.
  [[nodiscard]] std::uint16_t id() const noexcept { return u16<4>(); }
  [[nodiscard]] std::uint16_t sequence() const noexcept { return u16<6>(); }
  [[nodiscard]] std::uint32_t gateway() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint16_t mtu() const noexcept { return u16<6>(); }
  [[nodiscard]] std::uint8_t pointer() const noexcept { return u8<4>(); }
};

}  // namespace nfbus::host
