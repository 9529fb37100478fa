// Which sites may talk to this server. A browser sends whatever a foreign page asks it to: what it says of the page's
// origin (Origin, RFC 6454) and of the name that it was told to ask (Host) tells friend from foe.
#pragma once

#include "message.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace websocket {

// The host and port of "example.org:8787", "[::1]"; port 0: none is there.
struct HostPort {
  std::string host;  // in lower case, without brackets and a last dot
  std::uint16_t port = 0;
  bool is_address = false;
  bool is_secure = false;  // of an origin: https

  bool operator==(const HostPort&) const = default;
};
[[nodiscard]] std::optional<HostPort> host_port_of(std::string_view text);

// Of "https://example.org:8787"; the port is that of the scheme where it has none. None: no origin of a site ("null").
[[nodiscard]] std::optional<HostPort> origin_of(std::string_view text);

struct Sites {
  std::vector<std::string> hosts = {};    // names beside addresses and localhost
  std::vector<std::string> origins = {};  // beside the server's own
};

// What is wrong with who asks; none: nothing. Host names that nobody allowed are refused on loopback, too: they are how
// a foreign page reaches a server there (DNS rebinding).
[[nodiscard]] std::optional<Response> refuse_site(const Request& request, const Sites& sites);

}  // namespace websocket
