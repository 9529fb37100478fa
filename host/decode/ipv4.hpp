// IPv4: RFC 791; type of service as RFC 2474 and 3168 have it.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class Ipv4Header : public HeaderView<20> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_IPV4;
  static constexpr std::uint8_t kDontFragment = 2;
  static constexpr std::uint8_t kMoreFragments = 1;

  [[nodiscard]] std::uint8_t version() const noexcept { return static_cast<std::uint8_t>(u8<0>() >> 4U); }
  // In units of 4 bytes.
  [[nodiscard]] std::uint8_t ihl() const noexcept { return u8<0>() & 0x0fU; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return std::size_t{ihl()} * 4; }
  [[nodiscard]] std::uint8_t tos() const noexcept { return u8<1>(); }
  [[nodiscard]] std::uint16_t total_length() const noexcept { return u16<2>(); }
  [[nodiscard]] std::uint16_t id() const noexcept { return u16<4>(); }
  // Flags and fragment offset as they stand in the header.
  [[nodiscard]] std::uint16_t fragment_word() const noexcept { return u16<6>(); }
  // 4: reserved, kDontFragment, kMoreFragments.
  [[nodiscard]] std::uint8_t flags() const noexcept { return static_cast<std::uint8_t>(fragment_word() >> 13U); }
  // In units of 8 bytes.
  [[nodiscard]] std::uint16_t fragment_offset() const noexcept { return fragment_word() & 0x1fffU; }
  [[nodiscard]] std::uint8_t ttl() const noexcept { return u8<8>(); }
  [[nodiscard]] std::uint8_t protocol() const noexcept { return u8<9>(); }
  [[nodiscard]] std::uint16_t checksum() const noexcept { return u16<10>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> source() const noexcept { return part<12, 4>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> destination() const noexcept { return part<16, 4>(); }
};

}  // namespace nfbus::host
