#include "match/names.hpp"

#include "decode/names.hpp"
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

template <typename Row>
std::optional<std::uint32_t> find(std::span<const Row> table, const std::string& name) {
  const std::string wanted = canonical(name);
  const auto found = std::find_if(table.begin(), table.end(), [&](const Row& one) { return one.name == wanted; });
  if (found == table.end()) return std::nullopt;
  return found->number;
}

template <typename Row>
std::vector<std::string> all(std::span<const Row> table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const Row& one : table) names.emplace_back(one.name);
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

std::optional<std::uint32_t> protocol(const std::string& name) { return find(protocol_names(), name); }
std::optional<std::uint32_t> family(const std::string& name) { return find(std::span<const Named>(kFamilies), name); }
std::optional<std::uint32_t> tcp_flag(const std::string& name) { return find(std::span<const Named>(kTcpFlags), name); }

std::vector<std::uint32_t> icmp_types(const std::string& name) {
  std::vector<std::uint32_t> types;
  const std::string wanted = canonical(name);
  for (const IcmpTypeName& one : icmp_type_names()) {
    if (one.name == wanted) types.push_back(one.type + (one.version == IcmpVersion::icmpv6 ? kIcmpv6Types : 0));
  }
  return types;
}

std::vector<std::string> protocols() { return all(protocol_names()); }
std::vector<std::string> families() { return all(std::span<const Named>(kFamilies)); }
std::vector<std::string> tcp_flags() { return all(std::span<const Named>(kTcpFlags)); }
std::vector<std::string> icmp_types() { return all(icmp_type_names()); }

}  // namespace nfbus::host::names
