#include "ban_network.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                                  0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 section 2.5.5.2

void clear_behind(std::array<std::uint8_t, 16>& bytes, unsigned prefix) {
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned bits = prefix > 8 * i ? std::min(prefix - 8 * i, 8U) : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> bits));
  }
}

std::optional<std::uint8_t> prefix_in(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

}  // namespace

std::size_t Network::size_bytes() const noexcept { return family == NFPROTO_IPV4 ? 4 : 16; }

Result<Network> network_of(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network out;
  if (::inet_pton(AF_INET, address.c_str(), out.bytes.data()) == 1) {
    out.family = NFPROTO_IPV4;
    out.prefix = kMostBitsV4;
  } else if (::inet_pton(AF_INET6, address.c_str(), out.bytes.data()) == 1) {
    out.family = NFPROTO_IPV6;
    out.prefix = kMostBitsV6;
  } else {
    return Error{Code::invalid, '"' + std::string(text) + "\" is no address: give one as 192.0.2.1 or 2001:db8::1"};
  }
  if (slash != std::string_view::npos) {
    const auto prefix = prefix_in(text.substr(slash + 1), out.prefix);
    if (!prefix) {
      return Error{Code::invalid,
                   '"' + std::string(text) + "\" is no network: its prefix is 0 to " + std::to_string(out.prefix)};
    }
    out.prefix = *prefix;
    auto cleared = out.bytes;
    clear_behind(cleared, out.prefix);
    if (cleared != out.bytes) {
      out.bytes = cleared;
      return Error{Code::invalid,
                   '"' + std::string(text) + "\" has bits behind its prefix: " + to_string(out) + " is meant"};
    }
  }
  if (out.family == NFPROTO_IPV6 && out.prefix >= 96 && std::equal(kMapped.begin(), kMapped.end(), out.bytes.begin())) {
    out.family = NFPROTO_IPV4;
    out.prefix = static_cast<std::uint8_t>(out.prefix - 96);
    std::copy(out.bytes.begin() + 12, out.bytes.end(), out.bytes.begin());
    std::fill(out.bytes.begin() + 4, out.bytes.end(), std::uint8_t{0});
  }
  return out;
}

std::string to_string(const Network& network) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool is_v4 = network.family == NFPROTO_IPV4;
  ::inet_ntop(is_v4 ? AF_INET : AF_INET6, network.bytes.data(), text.data(), text.size());
  std::string out = text.data();
  if (network.prefix != (is_v4 ? kMostBitsV4 : kMostBitsV6)) out += '/' + std::to_string(network.prefix);
  return out;
}

Network widened(const Network& network, std::uint8_t prefix) {
  Network out = network;
  out.prefix = std::min(network.prefix, prefix);
  clear_behind(out.bytes, out.prefix);
  return out;
}

Network network_of_key(std::uint8_t family, std::string_view key, std::uint8_t prefix) {
  Network out{family, prefix, {}};
  std::memcpy(out.bytes.data(), key.data(), std::min(key.size(), out.size_bytes()));
  return out;
}

bool overlap(const Network& a, const Network& b) {
  if (a.family != b.family) return false;
  const std::uint8_t prefix = std::min(a.prefix, b.prefix);
  return widened(a, prefix) == widened(b, prefix);
}

}  // namespace nftrules
