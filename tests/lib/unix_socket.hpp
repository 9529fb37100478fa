// Unix sockets by their paths.
#pragma once

#include "support/descriptor.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

namespace nfbus::host::test {

inline sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  return address;
}

// A connection to who listens there; invalid, with errno, when there is none. flags: those of socket(2).
inline Descriptor connect_to(const std::string& path, int flags = 0) {
  Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  const sockaddr_un address = unix_address(path);
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return client;
}

}  // namespace nfbus::host::test
