// IPv6 and its extension headers: RFC 8200; mobility RFC 6275, HIP RFC 7401, shim6 RFC 5533; which of them are
// extension headers: RFC 7045.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class Ipv6Header : public HeaderView<40> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_IPV6;

  [[nodiscard]] std::uint8_t version() const noexcept { return static_cast<std::uint8_t>(u8<0>() >> 4U); }
  [[nodiscard]] std::uint8_t traffic_class() const noexcept { return static_cast<std::uint8_t>(u32<0>() >> 20U); }
  [[nodiscard]] std::uint32_t flow_label() const noexcept { return u32<0>() & 0xfffffU; }
  // 0 in a jumbogram (RFC 2675).
  [[nodiscard]] std::uint16_t payload_length() const noexcept { return u16<4>(); }
  [[nodiscard]] std::uint8_t next_header() const noexcept { return u8<6>(); }
  [[nodiscard]] std::uint8_t hop_limit() const noexcept { return u8<7>(); }
  [[nodiscard]] std::span<const std::uint8_t, 16> source() const noexcept { return part<8, 16>(); }
  [[nodiscard]] std::span<const std::uint8_t, 16> destination() const noexcept { return part<24, 16>(); }
};

// Holds what all extension headers begin with (RFC 6564); the fragment header has no length.
class Ipv6ExtensionHeader : public HeaderView<2> {
 public:
  using HeaderView::HeaderView;

  [[nodiscard]] std::uint8_t next_header() const noexcept { return u8<0>(); }
  // Not for the fragment header, and counted otherwise in AH.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return (std::size_t{u8<1>()} + 1) * 8; }
};

class Ipv6FragmentHeader : public HeaderView<8> {
 public:
  using HeaderView::HeaderView;

  [[nodiscard]] std::uint8_t next_header() const noexcept { return u8<0>(); }
  // Fragment offset, reserved bits and the M flag as they stand in the header.
  [[nodiscard]] std::uint16_t fragment_word() const noexcept { return u16<2>(); }
  // In units of 8 bytes.
  [[nodiscard]] std::uint16_t fragment_offset() const noexcept {
    return static_cast<std::uint16_t>(fragment_word() >> 3U);
  }
  [[nodiscard]] bool more_fragments() const noexcept { return (fragment_word() & 1U) != 0; }
  [[nodiscard]] std::uint32_t id() const noexcept { return u32<4>(); }
};

}  // namespace nfbus::host
