// IPv6 jumbograms: RFC 2675; the options of a hop-by-hop header RFC 8200, section 4.2.
#pragma once

#include "decode/reader.hpp"

#include <cstddef>
#include <cstdint>

namespace nfbus::host {

struct JumboOption {
  bool is_there = false;
  std::uint32_t payload_bytes = 0;  // of the packet behind its IPv6 header; 0: the option is not of this size
};

// A payload length of 16 bits serves up to here.
inline constexpr std::uint32_t kLeastJumboBytes = 0x10000;

// options: of a hop-by-hop header, behind its first two bytes, as far as captured. Ends without a word where an option
// is broken. Thread safety: any thread.
[[nodiscard]] inline JumboOption find_jumbo_option(Bytes options) noexcept {
  constexpr std::uint8_t kPad1 = 0;
  constexpr std::uint8_t kJumboPayload = 0xc2;
  constexpr std::size_t kHeaderBytes = 2;  // type, length of the data
  while (!options.empty()) {
    if (options[0] == kPad1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < kHeaderBytes || options.size() - kHeaderBytes < options[1]) return {};
    const Bytes data = options.subspan(kHeaderBytes, options[1]);
    if (options[0] == kJumboPayload) {
      return {.is_there = true, .payload_bytes = data.size() == 4 ? load_be32(data.first<4>()) : 0};
    }
    options = options.subspan(kHeaderBytes + data.size());
  }
  return {};
}

}  // namespace nfbus::host
