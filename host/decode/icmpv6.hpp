// ICMPv6: RFC 4443; neighbour discovery RFC 4861.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class Icmpv6Header : public HeaderView<8> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_ICMPV6;

  static constexpr std::uint8_t kPacketTooBig = 2;
  static constexpr std::uint8_t kParameterProblem = 4;
  static constexpr std::uint8_t kEchoRequest = 128;
  static constexpr std::uint8_t kEchoReply = 129;
  static constexpr std::uint8_t kNeighborSolicitation = 135;
  static constexpr std::uint8_t kNeighborAdvertisement = 136;

  [[nodiscard]] std::uint8_t type() const noexcept { return u8<0>(); }
  [[nodiscard]] std::uint8_t code() const noexcept { return u8<1>(); }
  [[nodiscard]] std::uint16_t checksum() const noexcept { return u16<2>(); }
  // The last four bytes, by type: id() and sequence() of echoes, mtu() of packet too big, pointer() of a parameter
  // problem.
  [[nodiscard]] std::uint16_t id() const noexcept { return u16<4>(); }
  [[nodiscard]] std::uint16_t sequence() const noexcept { return u16<6>(); }
  [[nodiscard]] std::uint32_t mtu() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint32_t pointer() const noexcept { return u32<4>(); }
};

}  // namespace nfbus::host
