#include "allow_list.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>
#include <system_error>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

// Routers have a million routes; default ones come first in both files.
constexpr std::size_t kMostRouteBytes = std::size_t{1} << 20;

struct Fixed {
  const char* network;
  const char* why;
};
constexpr std::array<Fixed, 9> kFixed = {{{"0.0.0.0/8", "the unspecified address"},
                                          {"127.0.0.0/8", "loopback"},
                                          {"169.254.0.0/16", "link-local"},
                                          {"224.0.0.0/4", "multicast"},
                                          {"255.255.255.255", "broadcast"},
                                          {"::", "the unspecified address"},
                                          {"::1", "loopback"},
                                          {"fe80::/10", "link-local"},
                                          {"ff00::/8", "multicast"}}};

Network of_bytes(std::uint8_t family, const void* bytes) {
  Network out{family, family == NFPROTO_IPV4 ? kMostBitsV4 : kMostBitsV6, {}};
  std::memcpy(out.bytes.data(), bytes, out.size_bytes());
  return out;
}

std::string start_of(const char* path) {
  std::ifstream file(path);
  std::string text(kMostRouteBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

bool is_zero(std::string_view hex) { return !hex.empty() && hex.find_first_not_of('0') == std::string_view::npos; }

// The first and the last address.
std::pair<std::string, std::string> range_of(const Network& network) {
  std::string first = network.key();
  std::string last = first;
  for (std::size_t i = 0; i < last.size(); ++i) {
    const unsigned bits =
        network.prefix > 8 * i ? std::min<unsigned>(network.prefix - 8U * static_cast<unsigned>(i), 8U) : 0;
    last[i] = static_cast<char>(static_cast<std::uint8_t>(last[i]) | (0xffU >> bits));
  }
  return {std::move(first), std::move(last)};
}

}  // namespace

// Columns: device, destination, gateway, flags, ... Addresses are words of the machine's byte order.
std::vector<Network> gateways_in_route(const std::string& text) {
  std::vector<Network> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device;
    std::string destination;
    std::string gateway;
    words >> device >> destination >> gateway;
    if (!words || !is_zero(destination) || is_zero(gateway)) continue;
    std::uint32_t word = 0;
    if (std::from_chars(gateway.data(), gateway.data() + gateway.size(), word, 16).ec != std::errc()) continue;
    out.push_back(of_bytes(NFPROTO_IPV4, &word));
  }
  return out;
}

// Columns: destination, its prefix, source, its prefix, next hop, ... in network order.
std::vector<Network> gateways_in_ipv6_route(const std::string& text) {
  std::vector<Network> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::array<std::string, 5> columns;
    for (std::string& column : columns) words >> column;
    const std::string& hop = columns[4];
    if (!words || !is_zero(columns[1]) || is_zero(hop) || hop.size() != 32) continue;
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::from_chars(hop.data() + 2 * i, hop.data() + 2 * i + 2, bytes[i], 16);
    }
    out.push_back(of_bytes(NFPROTO_IPV6, bytes.data()));
  }
  return out;
}

AllowList::AllowList(const std::vector<Network>& configured) {
  for (const Fixed& fixed : kFixed) fixed_.push_back({*network_of(fixed.network), std::string("it is ") + fixed.why});
  for (const Network& network : configured) fixed_.push_back({network, "allow has " + to_string(network)});
}

Result<bool> AllowList::refresh(Clock::time_point now) {
  if (was_read_ && now - read_at_ < std::chrono::seconds(1)) return false;
  ifaddrs* found = nullptr;
  if (::getifaddrs(&found) != 0) {
    return Error{Code::io, "this machine's own addresses, which are never banned, cannot be read: " +
                               std::generic_category().message(errno)};
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(found, &::freeifaddrs);
  std::vector<Allowed> machine;
  const auto add = [&](const Network& network, const char* what) {
    machine.push_back({network, std::string(what) + to_string(network)});
  };
  for (const ifaddrs* at = found; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    constexpr const char* kOwn = "it is this machine's own address ";
    if (at->ifa_addr->sa_family == AF_INET) {
      add(of_bytes(NFPROTO_IPV4, &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr), kOwn);
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      add(of_bytes(NFPROTO_IPV6, &reinterpret_cast<const sockaddr_in6*>(at->ifa_addr)->sin6_addr), kOwn);
    }
  }
  constexpr const char* kGateway = "it is the gateway ";
  for (const Network& gateway : gateways_in_route(start_of("/proc/net/route"))) add(gateway, kGateway);
  for (const Network& gateway : gateways_in_ipv6_route(start_of("/proc/net/ipv6_route"))) add(gateway, kGateway);
  read_at_ = now;
  const bool is_changed = !was_read_ || machine != machine_;
  was_read_ = true;
  machine_ = std::move(machine);
  return is_changed;
}

std::string AllowList::why_allowed(const Network& network) const {
  for (const auto* list : {&fixed_, &machine_}) {
    const auto found =
        std::ranges::find_if(*list, [&](const Allowed& allowed) { return overlap(allowed.network, network); });
    if (found != list->end()) return found->why;
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> AllowList::ranges(std::uint8_t family) const {
  std::vector<std::pair<std::string, std::string>> sorted;
  for (const auto* list : {&fixed_, &machine_}) {
    for (const Allowed& allowed : *list) {
      if (allowed.network.family == family) sorted.push_back(range_of(allowed.network));
    }
  }
  const auto as_bytes = [](const std::string& a, const std::string& b) {
    return std::memcmp(a.data(), b.data(), a.size()) < 0;
  };
  std::ranges::sort(sorted, [&](const auto& a, const auto& b) { return as_bytes(a.first, b.first); });
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& range : sorted) {
    if (!out.empty() && !as_bytes(out.back().second, range.first)) {
      if (as_bytes(out.back().second, range.second)) out.back().second = std::move(range.second);
    } else {
      out.push_back(std::move(range));
    }
  }
  return out;
}

}  // namespace nftrules
