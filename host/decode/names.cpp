#include "decode/names.hpp"

#include "decode/ip.hpp"

#include <nfbus/abi.h>

#include <algorithm>
#include <array>

namespace nfbus::host {

namespace {

// IANA, Protocol Numbers; where it has no short name, that of /etc/protocols.
constexpr auto kProtocols = std::to_array<ProtocolName>({
    {"tcp", kProtocolTcp, "TCP", NFBUS_LAYER_TCP},
    {"udp", kProtocolUdp, "UDP", NFBUS_LAYER_UDP},
    {"icmp", kProtocolIcmp, "ICMP", NFBUS_LAYER_ICMP},
    {"icmpv6", kProtocolIcmpv6, "ICMPv6", NFBUS_LAYER_ICMPV6},
    {"ipv6-icmp", kProtocolIcmpv6, {}, 0},
    {"icmp6", kProtocolIcmpv6, {}, 0},
    {"sctp", kProtocolSctp, "SCTP", NFBUS_LAYER_SCTP},
    {"igmp", 2, {}, 0},
    {"ipip", 4, {}, 0},
    {"ipencap", 4, {}, 0},
    {"egp", 8, {}, 0},
    {"dccp", 33, {}, 0},
    {"ipv6", 41, {}, 0},
    {"rsvp", 46, {}, 0},
    {"gre", 47, {}, 0},
    {"esp", kProtocolEsp, "ESP", NFBUS_LAYER_ESP},
    {"ah", kProtocolAh, "AH", NFBUS_LAYER_AH},
    {"eigrp", 88, {}, 0},
    {"ospf", 89, {}, 0},
    {"pim", 103, {}, 0},
    {"ipcomp", 108, {}, 0},
    {"vrrp", 112, {}, 0},
    {"l2tp", 115, {}, 0},
    {"udplite", 136, {}, 0},
    {"ipv6-nonxt", kProtocolNone, {}, 0},
    {"ethernet", 143, {}, 0},
});

// IANA, ICMP and ICMPv6 type numbers, by the names of nft and ip6tables; then those that others use.
constexpr auto kIcmpTypes = std::to_array<IcmpTypeName>({
    {"echo-reply", IcmpVersion::icmp, 0, true},
    {"destination-unreachable", IcmpVersion::icmp, 3, false},
    {"source-quench", IcmpVersion::icmp, 4, false},
    {"redirect", IcmpVersion::icmp, 5, true},
    {"echo-request", IcmpVersion::icmp, 8, true},
    {"router-advertisement", IcmpVersion::icmp, 9, false},
    {"router-solicitation", IcmpVersion::icmp, 10, false},
    {"time-exceeded", IcmpVersion::icmp, 11, true},
    {"parameter-problem", IcmpVersion::icmp, 12, true},
    {"timestamp-request", IcmpVersion::icmp, 13, false},
    {"timestamp-reply", IcmpVersion::icmp, 14, false},
    {"info-request", IcmpVersion::icmp, 15, false},
    {"info-reply", IcmpVersion::icmp, 16, false},
    {"address-mask-request", IcmpVersion::icmp, 17, false},
    {"address-mask-reply", IcmpVersion::icmp, 18, false},
    {"destination-unreachable", IcmpVersion::icmpv6, 1, false},
    {"packet-too-big", IcmpVersion::icmpv6, 2, true},
    {"time-exceeded", IcmpVersion::icmpv6, 3, true},
    {"parameter-problem", IcmpVersion::icmpv6, 4, true},
    {"echo-request", IcmpVersion::icmpv6, 128, true},
    {"echo-reply", IcmpVersion::icmpv6, 129, true},
    {"mld-listener-query", IcmpVersion::icmpv6, 130, false},
    {"mld-listener-report", IcmpVersion::icmpv6, 131, false},
    {"mld-listener-done", IcmpVersion::icmpv6, 132, false},
    {"mld-listener-reduction", IcmpVersion::icmpv6, 132, false},
    {"nd-router-solicit", IcmpVersion::icmpv6, 133, false},
    {"router-solicitation", IcmpVersion::icmpv6, 133, true},
    {"nd-router-advert", IcmpVersion::icmpv6, 134, false},
    {"router-advertisement", IcmpVersion::icmpv6, 134, true},
    {"nd-neighbor-solicit", IcmpVersion::icmpv6, 135, false},
    {"neighbor-solicitation", IcmpVersion::icmpv6, 135, false},
    {"neighbour-solicitation", IcmpVersion::icmpv6, 135, true},
    {"nd-neighbor-advert", IcmpVersion::icmpv6, 136, false},
    {"neighbor-advertisement", IcmpVersion::icmpv6, 136, false},
    {"neighbour-advertisement", IcmpVersion::icmpv6, 136, true},
    {"nd-redirect", IcmpVersion::icmpv6, 137, false},
    {"redirect", IcmpVersion::icmpv6, 137, true},
    {"router-renumbering", IcmpVersion::icmpv6, 138, false},
    {"ind-neighbor-solicit", IcmpVersion::icmpv6, 141, false},
    {"ind-neighbor-advert", IcmpVersion::icmpv6, 142, false},
    {"mld2-listener-report", IcmpVersion::icmpv6, 143, false},
    {"unreachable", IcmpVersion::icmp, 3, true},
    {"unreachable", IcmpVersion::icmpv6, 1, true},
    {"timestamp", IcmpVersion::icmp, 13, false},
    {"too-big", IcmpVersion::icmpv6, 2, false},
    {"multicast-listener-query", IcmpVersion::icmpv6, 130, false},
    {"multicast-listener-report", IcmpVersion::icmpv6, 131, false},
    {"multicast-listener-report", IcmpVersion::icmpv6, 143, true},
    {"multicast-listener-done", IcmpVersion::icmpv6, 132, false},
});

}  // namespace

std::span<const ProtocolName> protocol_names() noexcept { return kProtocols; }
std::span<const IcmpTypeName> icmp_type_names() noexcept { return kIcmpTypes; }

std::string_view protocol_title(std::uint32_t layers) noexcept {
  const auto* const found =
      std::ranges::find_if(kProtocols, [&](const ProtocolName& one) { return (layers & one.layer) != 0; });
  return found == kProtocols.end() ? std::string_view() : found->title;
}

std::string_view icmp_line_name(IcmpVersion version, std::uint8_t type) noexcept {
  const auto* const found = std::ranges::find_if(
      kIcmpTypes, [&](const IcmpTypeName& one) { return one.in_lines && one.version == version && one.type == type; });
  return found == kIcmpTypes.end() ? std::string_view() : found->name;
}

}  // namespace nfbus::host
