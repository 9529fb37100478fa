// What waits for a client of the bus, taken as its socket would take it.
#pragma once

#include "bus/server/client.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nfbus::host::test {

// Each line with its newline; they count as delivered then.
inline std::vector<std::string> take_lines(Client& client) {
  std::vector<std::string> lines;
  std::array<iovec, 64> pieces{};
  for (;;) {
    std::size_t bytes = 0;
    for (const iovec& piece : std::span(pieces).first(client.queue.gather(pieces, SIZE_MAX))) {
      lines.emplace_back(static_cast<const char*>(piece.iov_base), piece.iov_len);
      bytes += piece.iov_len;
    }
    if (bytes == 0) return lines;
    client.queue.sent(bytes);
  }
}

}  // namespace nfbus::host::test
