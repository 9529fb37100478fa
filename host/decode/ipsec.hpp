// IPsec's headers: AH RFC 4302, ESP RFC 4303.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class AhHeader : public HeaderView<12> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_AH;

  [[nodiscard]] std::uint8_t next_header() const noexcept { return u8<0>(); }
  [[nodiscard]] std::uint8_t payload_length() const noexcept { return u8<1>(); }
  // With the integrity check value.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return (std::size_t{payload_length()} + 2) * 4; }
  [[nodiscard]] std::uint32_t spi() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint32_t sequence() const noexcept { return u32<8>(); }
};

class EspHeader : public HeaderView<8> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_ESP;

  [[nodiscard]] std::uint32_t spi() const noexcept { return u32<0>(); }
  [[nodiscard]] std::uint32_t sequence() const noexcept { return u32<4>(); }
};

}  // namespace nfbus::host
