// UDP: RFC 768.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class UdpHeader : public HeaderView<8> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_UDP;

  [[nodiscard]] std::uint16_t source_port() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t destination_port() const noexcept { return u16<2>(); }
  // Of header and data; 0 in a jumbogram (RFC 2675).
  [[nodiscard]] std::uint16_t length() const noexcept { return u16<4>(); }
  [[nodiscard]] std::uint16_t checksum() const noexcept { return u16<6>(); }
};

}  // namespace nfbus::host
