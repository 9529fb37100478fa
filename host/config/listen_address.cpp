#include "config/listen_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace nfbus::host {

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const Error wrong{.code = Code::invalid,
                    .text = R"(expected an address and a port, such as "127.0.0.1:9477" or "[::1]:9477")"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view address = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);

  ListenAddress out;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size()) return wrong;

  if (address == "localhost") address = "127.0.0.1";
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  out.address = address;
  in_addr v4{};
  in6_addr v6{};
  if (!bracketed && ::inet_pton(AF_INET, out.address.c_str(), &v4) == 1) {
    constexpr std::uint32_t kLoopbackNet = 127;
    out.is_loopback = ntohl(v4.s_addr) >> 24U == kLoopbackNet;
  } else if (bracketed && ::inet_pton(AF_INET6, out.address.c_str(), &v6) == 1) {
    out.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
  } else {
    return wrong;
  }
  return out;
}

}  // namespace nfbus::host
