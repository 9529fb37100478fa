// SCTP's common header: RFC 9260 section 3.1.
#pragma once

#include "decode/reader.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

class SctpHeader : public HeaderView<12> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kLayer = NFBUS_LAYER_SCTP;

  [[nodiscard]] std::uint16_t source_port() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t destination_port() const noexcept { return u16<2>(); }
  [[nodiscard]] std::uint32_t verification_tag() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint32_t checksum() const noexcept { return u32<8>(); }
};

}  // namespace nfbus::host
