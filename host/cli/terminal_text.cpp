#include "cli/terminal_text.hpp"

#include <arpa/inet.h>

#include <array>

namespace nfbus::host {

std::string address_text(std::span<const std::uint8_t> address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
  return text.data();
}

}  // namespace nfbus::host
