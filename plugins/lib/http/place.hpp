// Where a server is, as users write it.
#pragma once

#include <string>

namespace http {

struct Place {
  std::string base;              // "http://host:8086", with a path where it has one, without a last slash
  std::string unix_socket = {};  // path; empty: TCP
  std::string shown;             // as the user wrote it
};

// url: http://HOST, https://HOST, each with or without port and path, or unix:///PATH of a socket. Throws
// std::invalid_argument, which says what is wrong with it.
[[nodiscard]] Place place_of(const std::string& url);

// url: of a proxy, HOST with or without scheme (http, https, socks4, socks4a, socks5, socks5h) and port. Throws
// std::invalid_argument, which says what is wrong with it and shows no secret.
void check_proxy(const std::string& url);

}  // namespace http
