// Network and transport layer of one packet. What each step needs to know of a protocol is in its header.
#include "decode/decode.hpp"

#include "decode/fail.hpp"
#include "decode/headers.hpp"
#include "decode/jumbo.hpp"
#include "decode/link.hpp"
#include "decode/vlan.hpp"

#include <algorithm>
#include <array>

namespace nfbus::host {
namespace {

// Offsets are 16 bits wide, and the last value means none; no netlink attribute is longer anyway.
constexpr std::size_t kMaxPacketBytes = NFBUS_NO_OFFSET - 1;

// Of jumbograms: what stands in front of a packet in a capture file counts in its length there, which has 32 bits, too.
constexpr std::uint64_t kMostJumboBytes = 0xffff'0000;

class Ports : public HeaderView<4> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint16_t source() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t destination() const noexcept { return u16<2>(); }
};

// Bridges hand packets over from the inner tag on; the payload is to start with the network header.
[[nodiscard]] bool decode_inner_vlan_tags(Event& event) noexcept {
  while (is_vlan_type(event.ether_type)) {
    Reader reader(to_bytes(event.payload));
    const auto tag = reader.peek<VlanTag>();
    if (!tag || !reader.skip(VlanTag::kSize)) {
      fail(event, NFBUS_TEXT("VLAN: tag cut short"));
      return false;
    }
    note_vlan(event, event.ether_type, tag->tci());
    event.ether_type = tag->type();
    event.payload = {reader.rest().data(), reader.rest().size()};
  }
  return true;
}

void decode_arp(Event& event, Bytes packet) noexcept {
  const auto header = Reader(packet).peek<ArpHeader>();
  if (!header) return fail(event, NFBUS_TEXT("ARP: header cut short"));
  if (header->hardware_size_bytes() != 6 || header->protocol_size_bytes() != 4 ||
      header->protocol_type() != kEtherTypeIpv4) {
    return fail(event, NFBUS_TEXT("ARP: addresses are not of Ethernet and IPv4"));
  }
  event.layers |= NFBUS_LAYER_ARP;
}

// The fixed part of a transport header at event.transport_offset.
template <class Header>
std::optional<Header> decode_fixed_part(Event& event, const Reader& upper, nfbus_text cut_short) noexcept {
  const auto header = upper.peek<Header>();
  if (header) {
    event.layers |= Header::kLayer;
  } else {
    fail(event, cut_short);
  }
  return header;
}

// Ports are of use even where the rest of the header is missing.
void decode_ports(Event& event, const Reader& upper) noexcept {
  const auto ports = upper.peek<Ports>();
  if (!ports) return;
  event.source_port = ports->source();
  event.destination_port = ports->destination();
  event.present |= NFBUS_HAS_PORTS;
}

void set_data_offset(Event& event, const Reader& upper, std::size_t header_bytes) noexcept {
  event.data_offset = static_cast<std::uint16_t>(upper.offset() + header_bytes);
}

void decode_tcp(Event& event, const Reader& upper) noexcept {
  decode_ports(event, upper);
  const auto header = decode_fixed_part<TcpHeader>(event, upper, NFBUS_TEXT("TCP: header cut short"));
  if (!header) return;
  const std::size_t size_bytes = header->size_bytes();
  if (size_bytes < TcpHeader::kSize) return fail(event, NFBUS_TEXT("TCP: data offset below 5 words"));
  if (size_bytes > upper.rest().size()) return fail(event, NFBUS_TEXT("TCP: options cut short"));
  set_data_offset(event, upper, size_bytes);
}

void decode_udp(Event& event, const Reader& upper) noexcept {
  decode_ports(event, upper);
  const auto header = decode_fixed_part<UdpHeader>(event, upper, NFBUS_TEXT("UDP: header cut short"));
  if (!header) return;
  set_data_offset(event, upper, UdpHeader::kSize);
  if (header->length() != 0 && header->length() < UdpHeader::kSize) {
    fail(event, NFBUS_TEXT("UDP: length below 8 bytes"));
  }
}

void decode_sctp(Event& event, const Reader& upper) noexcept {
  decode_ports(event, upper);
  if (decode_fixed_part<SctpHeader>(event, upper, NFBUS_TEXT("SCTP: header cut short"))) {
    set_data_offset(event, upper, SctpHeader::kSize);
  }
}

template <class Header>
void decode_portless(Event& event, const Reader& upper, nfbus_text cut_short) noexcept {
  if (decode_fixed_part<Header>(event, upper, cut_short)) set_data_offset(event, upper, Header::kSize);
}

void decode_transport(Event& event, const Reader& upper) noexcept {
  if (!upper.rest().empty()) event.transport_offset = static_cast<std::uint16_t>(upper.offset());
  const bool is_ipv6 = (event.layers & NFBUS_LAYER_IPV6) != 0;
  switch (event.ip_protocol) {
    case kProtocolTcp: return decode_tcp(event, upper);
    case kProtocolUdp: return decode_udp(event, upper);
    case kProtocolSctp: return decode_sctp(event, upper);
    case kProtocolEsp: return decode_portless<EspHeader>(event, upper, NFBUS_TEXT("ESP: header cut short"));
    case kProtocolIcmp:
      if (!is_ipv6) decode_portless<IcmpHeader>(event, upper, NFBUS_TEXT("ICMP: header cut short"));
      return;
    case kProtocolIcmpv6:
      if (is_ipv6) decode_portless<Icmpv6Header>(event, upper, NFBUS_TEXT("ICMPv6: header cut short"));
      return;
    case kProtocolNone:
      if (is_ipv6) event.transport_offset = NFBUS_NO_OFFSET;
      return;
    default: return;  // a protocol that we do not know is no error
  }
}

// From the end of the IP header on.
void decode_chain(Event& event, HeaderChain chain) noexcept {
  while (chain.at_extension()) {
    const std::uint8_t protocol = chain.protocol();
    event.ip_protocol = protocol;
    if (!chain.skip()) {
      return fail(event, protocol == kProtocolAh ? nfbus_text NFBUS_TEXT("AH: header cut short or of impossible length")
                                                 : nfbus_text NFBUS_TEXT("IPv6: extension header cut short"));
    }
    if (protocol == kProtocolAh) event.layers |= NFBUS_LAYER_AH;
  }
  event.ip_protocol = chain.protocol();
  if (chain.later_fragment()) {
    event.layers |= NFBUS_LAYER_FRAGMENT;
  } else {
    decode_transport(event, chain.reader());
  }
}

template <class Header>
Bytes decode_ip_length(Event& event, const Header& header, Bytes packet) noexcept {
  const std::size_t claimed = claimed_size_bytes(header);
  if (claimed > packet.size()) event.packet_size = static_cast<std::uint32_t>(claimed);
  return without_padding(header, packet);
}

// A header that snaplen cut says how long the packet was, if it goes as far as that.
template <class Header>
void decode_length_of_cut(Event& event, Bytes packet, std::uint8_t version, std::size_t length_end) noexcept {
  if (packet.size() < length_end) return;
  std::array<std::uint8_t, Header::kSize> padded{};
  std::copy(packet.begin(), packet.end(), padded.begin());
  const Header header(padded);
  if (header.version() == version) (void)decode_ip_length(event, header, packet);
}

void decode_ipv4(Event& event, Bytes packet) noexcept {
  const auto header = Reader(packet).peek<Ipv4Header>();
  if (!header) {
    decode_length_of_cut<Ipv4Header>(event, packet, 4, 4);
    return fail(event, NFBUS_TEXT("IPv4: header cut short"));
  }
  if (header->version() != 4) return fail(event, NFBUS_TEXT("IPv4: version is not 4"));
  event.layers |= NFBUS_LAYER_IPV4;
  event.ip_protocol = header->protocol();
  packet = decode_ip_length(event, *header, packet);
  const std::size_t size_bytes = header->size_bytes();
  if (size_bytes < Ipv4Header::kSize) return fail(event, NFBUS_TEXT("IPv4: header length below 5 words"));
  if (header->total_length() != 0 && header->total_length() < size_bytes) {
    return fail(event, NFBUS_TEXT("IPv4: total length below the header's"));
  }
  if (size_bytes > packet.size()) return fail(event, NFBUS_TEXT("IPv4: options cut short"));
  decode_chain(event, HeaderChain(*header, packet));
}

// What the hop-by-hop header says of the length, and what is wrong with that; none: nothing.
nfbus_text decode_jumbo(Event& event, const Ipv6Header& header, Bytes packet) noexcept {
  const auto extension = Reader(packet, Ipv6Header::kSize).peek<Ipv6ExtensionHeader>();
  if (!extension) return {};
  const std::size_t end = Ipv6Header::kSize + extension->size_bytes();
  const JumboOption jumbo = find_jumbo_option(clamped(packet, Ipv6Header::kSize + Ipv6ExtensionHeader::kSize, end));
  if (!jumbo.is_there) {
    const bool lacks_length = header.payload_length() == 0 && packet.size() >= end;
    return lacks_length ? nfbus_text NFBUS_TEXT("IPv6: payload length 0 without a jumbo payload option") : nfbus_text{};
  }
  if (header.payload_length() != 0) return NFBUS_TEXT("IPv6: jumbo payload option beside a payload length");
  if (jumbo.payload_bytes < kLeastJumboBytes) return NFBUS_TEXT("IPv6: jumbo payload length below 65536");
  const std::uint64_t size_bytes = std::min(kMostJumboBytes, Ipv6Header::kSize + std::uint64_t{jumbo.payload_bytes});
  event.packet_size = std::max(event.packet_size, static_cast<std::uint32_t>(size_bytes));
  return find_ipv6_fragment(event) ? nfbus_text NFBUS_TEXT("IPv6: fragment of a jumbogram") : nfbus_text{};
}

void decode_ipv6(Event& event, Bytes packet) noexcept {
  const auto header = Reader(packet).peek<Ipv6Header>();
  if (!header) {
    decode_length_of_cut<Ipv6Header>(event, packet, 6, 6);
    return fail(event, NFBUS_TEXT("IPv6: header cut short"));
  }
  if (header->version() != 6) return fail(event, NFBUS_TEXT("IPv6: version is not 6"));
  event.layers |= NFBUS_LAYER_IPV6;
  packet = decode_ip_length(event, *header, packet);
  decode_chain(event, HeaderChain(*header, packet));
  if (header->next_header() != kProtocolHopByHop) return;
  // What is wrong with a header says more than what is wrong with the length.
  if (const nfbus_text wrong = decode_jumbo(event, *header, packet); wrong.size != 0) fail(event, wrong);
}

}  // namespace

void decode_packet(Event& event) noexcept {
  event.transport_offset = NFBUS_NO_OFFSET;
  event.data_offset = NFBUS_NO_OFFSET;
  decode_link(event);
  const bool has_network_header = decode_inner_vlan_tags(event);
  event.packet_size = static_cast<std::uint32_t>(event.payload.size);
  if (!has_network_header) return;
  const Bytes packet = clamped(to_bytes(event.payload), 0, kMaxPacketBytes);
  switch (event.ether_type) {
    case kEtherTypeIpv4: return decode_ipv4(event, packet);
    case kEtherTypeIpv6: return decode_ipv6(event, packet);
    case kEtherTypeArp: return decode_arp(event, packet);
    case 0:
      if (packet.empty()) fail(event, NFBUS_TEXT("link layer: no bytes captured behind its header"));
      return;
    default: return;  // a protocol that we do not know is no error
  }
}

}  // namespace nfbus::host
