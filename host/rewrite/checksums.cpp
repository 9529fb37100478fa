#include "rewrite/checksums.hpp"

#include <algorithm>
#include <cstring>

namespace nfbus::host {

namespace {

constexpr std::size_t kChecksumBytes = 2;
constexpr std::size_t kNoChecksum = ~std::size_t{0};

// A checksum field, and by how much the sum of what it covers changes.
struct Checksum {
  std::size_t at = kNoChecksum;  // in the payload
  std::int64_t change = 0;

  [[nodiscard]] bool exists_in(std::size_t payload_bytes) const noexcept {
    return at != kNoChecksum && at + kChecksumBytes <= payload_bytes;
  }
  [[nodiscard]] bool is_at(std::size_t offset) const noexcept {
    return at != kNoChecksum && offset >= at && offset < at + kChecksumBytes;
  }
  // is_high: the byte is the first of its 16-bit word, counted from where the covered bytes begin.
  void add(int change_of_byte, bool is_high) noexcept { change += std::int64_t{change_of_byte} * (is_high ? 256 : 1); }
};

// Offsets from the network header: RFC 791 section 3.1, RFC 8200 section 3.
constexpr std::size_t kIpv4Protocol = 9;
constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kIpv4Addresses = 12;
constexpr std::size_t kIpv4AddressesEnd = 20;
constexpr std::size_t kIpv6Addresses = 8;
constexpr std::size_t kIpv6AddressesEnd = 40;

// From the transport header: RFC 9293, RFC 768, RFC 792, RFC 4443.
std::size_t transport_checksum_offset(const nfbus_event& event) noexcept {
  if (event.transport_offset == NFBUS_NO_OFFSET) return kNoChecksum;
  if ((event.layers & NFBUS_LAYER_TCP) != 0) return event.transport_offset + 16U;
  if ((event.layers & NFBUS_LAYER_UDP) != 0) return event.transport_offset + 6U;
  if ((event.layers & (NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6)) != 0) return event.transport_offset + 2U;
  return kNoChecksum;
}

// Whether the transport's checksum covers this byte of the network header: addresses and protocol stand in the
// pseudo-header of all but ICMP.
bool in_pseudo_header(const nfbus_event& event, std::size_t offset) noexcept {
  if ((event.layers & NFBUS_LAYER_ICMP) != 0) return false;
  if ((event.layers & NFBUS_LAYER_IPV4) != 0) {
    return (offset >= kIpv4Addresses && offset < kIpv4AddressesEnd) || offset == kIpv4Protocol;
  }
  return offset >= kIpv6Addresses && offset < kIpv6AddressesEnd;
}

// Where the packet ends: a frame may have padding behind it.
std::size_t packet_end(const nfbus_event& event, std::span<const std::uint8_t> payload) noexcept {
  const bool is_ipv4 = (event.layers & NFBUS_LAYER_IPV4) != 0;
  const std::size_t end = is_ipv4 ? load_be16(payload.subspan<2, 2>()) : 40UL + load_be16(payload.subspan<4, 2>());
  // A length of 0 is that of a packet which the network card is to split.
  return end <= (is_ipv4 ? 0U : 40U) ? payload.size() : std::min(end, payload.size());
}

void mend(std::span<std::uint8_t> payload, const Checksum& checksum, std::uint16_t before, bool is_udp) noexcept {
  constexpr std::int64_t kModulus = 0xffff;
  std::int64_t sum = (kModulus - before + checksum.change) % kModulus;
  if (sum < 0) sum += kModulus;
  if (sum == 0) sum = kModulus;  // a sum of words that are not all 0 never is 0
  auto after = static_cast<std::uint16_t>(kModulus - sum);
  if (after == 0 && is_udp) after = 0xffff;  // 0 would say that there is none
  payload[checksum.at] = static_cast<std::uint8_t>(after >> 8U);
  payload[checksum.at + 1] = static_cast<std::uint8_t>(after);
}

std::uint16_t value_of(std::span<const std::uint8_t> payload, const Checksum& checksum) noexcept {
  return load_be16(payload.subspan(checksum.at).first<kChecksumBytes>());
}

}  // namespace

void write_and_mend_checksums(const nfbus_event& event, std::span<std::uint8_t> payload, std::size_t offset,
                              Bytes bytes) noexcept {
  const bool is_ipv4 = (event.layers & NFBUS_LAYER_IPV4) != 0;
  const bool is_ip = is_ipv4 || (event.layers & NFBUS_LAYER_IPV6) != 0;
  const bool is_udp = (event.layers & NFBUS_LAYER_UDP) != 0;
  const std::size_t end = is_ip ? packet_end(event, payload) : 0;
  const std::size_t header_end = is_ipv4 ? (payload[0] & 0x0fU) * 4U : 0;
  Checksum network;
  Checksum transport;
  if (is_ipv4) network.at = kIpv4Checksum;
  if (is_ip) transport.at = transport_checksum_offset(event);
  const bool mends_network = network.exists_in(payload.size());
  bool mends_transport = transport.exists_in(payload.size());
  const std::uint16_t network_before = mends_network ? value_of(payload, network) : std::uint16_t{0};
  const std::uint16_t transport_before = mends_transport ? value_of(payload, transport) : std::uint16_t{0};
  if (is_udp && is_ipv4 && transport_before == 0) mends_transport = false;

  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = offset + i;
    const int change = int{bytes[i]} - int{payload[at]};
    payload[at] = bytes[i];
    if (at < header_end && !network.is_at(at)) network.add(change, at % 2 == 0);
    if (mends_transport && at >= event.transport_offset) {
      if (at < end && !transport.is_at(at)) transport.add(change, (at - event.transport_offset) % 2 == 0);
    } else if (mends_transport && in_pseudo_header(event, at)) {
      transport.add(change, at % 2 == 0);
    }
  }
  if (mends_network) mend(payload, network, network_before, false);
  if (mends_transport) mend(payload, transport, transport_before, is_udp);
}

}  // namespace nfbus::host
