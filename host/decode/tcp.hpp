// TCP: RFC 9293; ECE and CWR RFC 3168, AE (once NS) RFC 9768.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class TcpHeader : public HeaderView<20> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_TCP;

  // Bits of flags().
  static constexpr std::uint16_t kFin = 0x001;
  static constexpr std::uint16_t kSyn = 0x002;
  static constexpr std::uint16_t kRst = 0x004;
  static constexpr std::uint16_t kPsh = 0x008;
  static constexpr std::uint16_t kAck = 0x010;
  static constexpr std::uint16_t kUrg = 0x020;
  static constexpr std::uint16_t kEce = 0x040;
  static constexpr std::uint16_t kCwr = 0x080;
  static constexpr std::uint16_t kNs = 0x100;

  [[nodiscard]] std::uint16_t source_port() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t destination_port() const noexcept { return u16<2>(); }
  [[nodiscard]] std::uint32_t seq() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint32_t ack() const noexcept { return u32<8>(); }
  // In units of 4 bytes.
  [[nodiscard]] std::uint8_t data_offset() const noexcept { return static_cast<std::uint8_t>(u8<12>() >> 4U); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return std::size_t{data_offset()} * 4; }
  // The four bits between data offset and CWR; the lowest is NS.
  [[nodiscard]] std::uint8_t reserved() const noexcept { return u8<12>() & 0x0fU; }
  [[nodiscard]] std::uint16_t flags() const noexcept { return u16<12>() & 0x1ffU; }
  [[nodiscard]] std::uint16_t window() const noexcept { return u16<14>(); }
  [[nodiscard]] std::uint16_t checksum() const noexcept { return u16<16>(); }
  [[nodiscard]] std::uint16_t urgent() const noexcept { return u16<18>(); }
};

}  // namespace nfbus::host
