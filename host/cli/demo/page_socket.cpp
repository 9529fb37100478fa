#include "cli/demo/page_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace nfbus::host::demo {
namespace {

constexpr std::uint16_t kPort = 8787;
constexpr std::uint16_t kAnyPort = 0;

bool listen_at(int fd, std::uint16_t port) noexcept {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, SOMAXCONN) == 0;
}

}  // namespace

std::optional<Descriptor> open_page_socket() {
  for (const std::uint16_t port : {kPort, kAnyPort}) {
    Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.valid() && listen_at(fd.get(), port)) return fd;
  }
  return std::nullopt;
}

}  // namespace nfbus::host::demo
