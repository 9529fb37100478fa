// Holds what IPv4 and IPv6 have in common: where the packet ends, and the headers before the upper layer.
#pragma once

#include "decode/ipsec.hpp"
#include "decode/ipv4.hpp"
#include "decode/ipv6.hpp"
#include "decode/reader.hpp"

#include <algorithm>

namespace nfbus::host {

// IANA's protocol numbers, of those that we know.
inline constexpr std::uint8_t kProtocolHopByHop = 0;
inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolRouting = 43;
inline constexpr std::uint8_t kProtocolFragment = 44;
inline constexpr std::uint8_t kProtocolEsp = 50;
inline constexpr std::uint8_t kProtocolAh = 51;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;
inline constexpr std::uint8_t kProtocolNone = 59;
inline constexpr std::uint8_t kProtocolDestinationOptions = 60;
inline constexpr std::uint8_t kProtocolMobility = 135;
inline constexpr std::uint8_t kProtocolSctp = 132;
inline constexpr std::uint8_t kProtocolHip = 139;
inline constexpr std::uint8_t kProtocolShim6 = 140;

// The length that the header claims for the whole packet; 0 when it does not say: jumbograms, whose option says it
// (jumbo.hpp) and which are never captured whole, and packets that the network card is yet to cut in pieces.
[[nodiscard]] inline std::size_t claimed_size_bytes(const Ipv4Header& header) noexcept { return header.total_length(); }
[[nodiscard]] inline std::size_t claimed_size_bytes(const Ipv6Header& header) noexcept {
  return header.payload_length() == 0 ? 0 : Ipv6Header::kSize + header.payload_length();
}

// `payload` without the link layer's padding behind the packet.
template <class Header>
[[nodiscard]] Bytes without_padding(const Header& header, Bytes payload) noexcept {
  const std::size_t claimed = claimed_size_bytes(header);
  return claimed == 0 ? payload : payload.first(std::min(claimed, payload.size()));
}

// Walks from an IP header to its upper layer, over IPv6's extension headers and over AH in both versions.
// Thread safety: none; the packet outlives it.
class HeaderChain {
 public:
  // packet: from the network header, without padding.
  HeaderChain(const Ipv4Header& header, Bytes packet) noexcept
      : reader_(packet, header.size_bytes()),
        protocol_(header.protocol()),
        ipv6_(false),
        later_fragment_(header.fragment_offset() != 0) {}
  HeaderChain(const Ipv6Header& header, Bytes packet) noexcept
      : reader_(packet, Ipv6Header::kSize), protocol_(header.next_header()), ipv6_(true) {}

  // Of the header at reader().
  [[nodiscard]] std::uint8_t protocol() const noexcept { return protocol_; }
  [[nodiscard]] const Reader& reader() const noexcept { return reader_; }
  // What stands here is a piece from the middle of a packet, not the beginning of a header.
  [[nodiscard]] bool later_fragment() const noexcept { return later_fragment_; }
  // There is a header to skip() before the upper layer.
  [[nodiscard]] bool at_extension() const noexcept {
    if (later_fragment_) return false;
    return ipv6_ ? is_ipv6_extension(protocol_) : protocol_ == kProtocolAh;
  }
  // Steps over the header here. False, and stays, when it is cut short or its length is impossible.
  [[nodiscard]] bool skip() noexcept {
    if (protocol_ == kProtocolAh) return skip_ah();
    if (protocol_ == kProtocolFragment) return skip_fragment();
    const auto header = reader_.peek<Ipv6ExtensionHeader>();
    return header && advance(header->size_bytes(), header->next_header());
  }

 private:
  // Bit n stands for protocol n: a test for the many that are none of these.
  static constexpr std::uint64_t kLowExtensions = (1ULL << kProtocolHopByHop) | (1ULL << kProtocolRouting) |
                                                  (1ULL << kProtocolFragment) | (1ULL << kProtocolAh) |
                                                  (1ULL << kProtocolDestinationOptions);

  [[nodiscard]] static constexpr bool is_ipv6_extension(std::uint8_t protocol) noexcept {
    if (protocol < 64) return ((kLowExtensions >> protocol) & 1U) != 0;
    return protocol == kProtocolMobility || protocol == kProtocolHip || protocol == kProtocolShim6;
  }

  [[nodiscard]] bool skip_ah() noexcept {
    const auto header = reader_.peek<AhHeader>();
    return header && header->size_bytes() >= AhHeader::kSize && advance(header->size_bytes(), header->next_header());
  }

  [[nodiscard]] bool skip_fragment() noexcept {
    const auto header = reader_.peek<Ipv6FragmentHeader>();
    if (!header || !advance(Ipv6FragmentHeader::kSize, header->next_header())) return false;
    later_fragment_ = header->fragment_offset() != 0;
    return true;
  }

  [[nodiscard]] bool advance(std::size_t size_bytes, std::uint8_t next_protocol) noexcept {
    if (!reader_.skip(size_bytes)) return false;
    protocol_ = next_protocol;
    return true;
  }

  Reader reader_;
  std::uint8_t protocol_;
  bool ipv6_;
  bool later_fragment_ = false;
};

}  // namespace nfbus::host
