#include "match/names.hpp"

#include "decode/ip.hpp"
#include "decode/tcp.hpp"
#include "match/facts.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace nfbus::host::names {

namespace {

struct Named {
  std::string_view name;
  std::uint32_t number;
};

// IANA, Protocol Numbers; where it has no short name, that of /etc/protocols.
constexpr std::array<Named, 26> kProtocols = {{{"tcp", kProtocolTcp},
                                               {"udp", kProtocolUdp},
                                               {"icmp", kProtocolIcmp},
                                               {"icmpv6", kProtocolIcmpv6},
                                               {"ipv6-icmp", kProtocolIcmpv6},
                                               {"icmp6", kProtocolIcmpv6},
                                               {"sctp", kProtocolSctp},
                                               {"igmp", 2},
                                               {"ipip", 4},
                                               {"ipencap", 4},
                                               {"egp", 8},
                                               {"dccp", 33},
                                               {"ipv6", 41},
                                               {"rsvp", 46},
                                               {"gre", 47},
                                               {"esp", kProtocolEsp},
                                               {"ah", kProtocolAh},
                                               {"eigrp", 88},
                                               {"ospf", 89},
                                               {"pim", 103},
                                               {"ipcomp", 108},
                                               {"vrrp", 112},
                                               {"l2tp", 115},
                                               {"udplite", 136},
                                               {"ipv6-nonxt", kProtocolNone},
                                               {"ethernet", 143}}};

// nft's families, and other words for them.
constexpr std::array<Named, 10> kFamilies = {{{"ip", kFamilyIp},
                                              {"ip6", kFamilyIp6},
                                              {"arp", kFamilyArp},
                                              {"bridge", kFamilyBridge},
                                              {"netdev", kFamilyNetdev},
                                              {"inet", kFamilyIp | kFamilyIp6},
                                              {"ipv4", kFamilyIp},
                                              {"ipv6", kFamilyIp6},
                                              {"inet4", kFamilyIp},
                                              {"inet6", kFamilyIp6}}};

constexpr std::array<Named, 10> kTcpFlags = {{{"fin", TcpHeader::kFin},
                                              {"syn", TcpHeader::kSyn},
                                              {"rst", TcpHeader::kRst},
                                              {"psh", TcpHeader::kPsh},
                                              {"ack", TcpHeader::kAck},
                                              {"urg", TcpHeader::kUrg},
                                              {"ece", TcpHeader::kEce},
                                              {"cwr", TcpHeader::kCwr},
                                              {"ns", TcpHeader::kNs},
                                              {"ae", TcpHeader::kNs}}};

// IANA, ICMP and ICMPv6 type numbers, by the names of nft and ip6tables.
constexpr std::array<Named, 49> kIcmpTypes = {{{"echo-reply", 0},
                                               {"destination-unreachable", 3},
                                               {"source-quench", 4},
                                               {"redirect", 5},
                                               {"echo-request", 8},
                                               {"router-advertisement", 9},
                                               {"router-solicitation", 10},
                                               {"time-exceeded", 11},
                                               {"parameter-problem", 12},
                                               {"timestamp-request", 13},
                                               {"timestamp-reply", 14},
                                               {"info-request", 15},
                                               {"info-reply", 16},
                                               {"address-mask-request", 17},
                                               {"address-mask-reply", 18},
                                               {"destination-unreachable", kIcmpv6Types + 1},
                                               {"packet-too-big", kIcmpv6Types + 2},
                                               {"time-exceeded", kIcmpv6Types + 3},
                                               {"parameter-problem", kIcmpv6Types + 4},
                                               {"echo-request", kIcmpv6Types + 128},
                                               {"echo-reply", kIcmpv6Types + 129},
                                               {"mld-listener-query", kIcmpv6Types + 130},
                                               {"mld-listener-report", kIcmpv6Types + 131},
                                               {"mld-listener-done", kIcmpv6Types + 132},
                                               {"mld-listener-reduction", kIcmpv6Types + 132},
                                               {"nd-router-solicit", kIcmpv6Types + 133},
                                               {"router-solicitation", kIcmpv6Types + 133},
                                               {"nd-router-advert", kIcmpv6Types + 134},
                                               {"router-advertisement", kIcmpv6Types + 134},
                                               {"nd-neighbor-solicit", kIcmpv6Types + 135},
                                               {"neighbor-solicitation", kIcmpv6Types + 135},
                                               {"neighbour-solicitation", kIcmpv6Types + 135},
                                               {"nd-neighbor-advert", kIcmpv6Types + 136},
                                               {"neighbor-advertisement", kIcmpv6Types + 136},
                                               {"neighbour-advertisement", kIcmpv6Types + 136},
                                               {"nd-redirect", kIcmpv6Types + 137},
                                               {"redirect", kIcmpv6Types + 137},
                                               {"router-renumbering", kIcmpv6Types + 138},
                                               {"ind-neighbor-solicit", kIcmpv6Types + 141},
                                               {"ind-neighbor-advert", kIcmpv6Types + 142},
                                               {"mld2-listener-report", kIcmpv6Types + 143},
                                               {"unreachable", 3},
                                               {"unreachable", kIcmpv6Types + 1},
                                               {"timestamp", 13},
                                               {"too-big", kIcmpv6Types + 2},
                                               {"multicast-listener-query", kIcmpv6Types + 130},
                                               {"multicast-listener-report", kIcmpv6Types + 131},
                                               {"multicast-listener-report", kIcmpv6Types + 143},
                                               {"multicast-listener-done", kIcmpv6Types + 132}}};

std::optional<std::uint32_t> find(std::span<const Named> table, const std::string& name) {
  const std::string wanted = canonical(name);
  const auto found = std::find_if(table.begin(), table.end(), [&](const Named& one) { return one.name == wanted; });
  if (found == table.end()) return std::nullopt;
  return found->number;
}

std::vector<std::string> all(std::span<const Named> table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const Named& one : table) names.emplace_back(one.name);
  return names;
}

}  // namespace

std::string canonical(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    if (c == '_') return '-';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::optional<std::uint32_t> protocol(const std::string& name) { return find(kProtocols, name); }
std::optional<std::uint32_t> family(const std::string& name) { return find(kFamilies, name); }
std::optional<std::uint32_t> tcp_flag(const std::string& name) { return find(kTcpFlags, name); }

std::vector<std::uint32_t> icmp_types(const std::string& name) {
  std::vector<std::uint32_t> types;
  const std::string wanted = canonical(name);
  for (const Named& one : kIcmpTypes) {
    if (one.name == wanted) types.push_back(one.number);
  }
  return types;
}

std::vector<std::string> protocols() { return all(kProtocols); }
std::vector<std::string> families() { return all(kFamilies); }
std::vector<std::string> tcp_flags() { return all(kTcpFlags); }
std::vector<std::string> icmp_types() { return all(kIcmpTypes); }

}  // namespace nfbus::host::names
