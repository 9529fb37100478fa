#include "target.hpp"

#include "../../lib/http/place.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string_view>

namespace webhook {
namespace {

bool is_this_machine(std::string_view authority) {
  std::string_view host = authority.substr(0, authority.rfind(':'));
  if (authority.starts_with('[')) host = authority.substr(0, authority.find(']') + 1);
  const bool is_ipv4 = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || (is_ipv4 && host.starts_with("127.")) || host == "[::1]";
}

}  // namespace

Target target_of(const std::string& url) {
  if (url.starts_with("unix://")) {
    const std::size_t colon = url.find(":/", std::string_view("unix://").size());
    const std::string socket = url.substr(0, colon);
    const std::string path = colon == std::string::npos ? "/" : url.substr(colon + 1);
    const http::Place place = http::place_of(socket);
    const http::Place behind = http::place_of(place.base + path);  // checked, too
    return {.url = Template::of_text(behind.shown, Form::url), .unix_socket = place.unix_socket, .shown = place.shown};
  }
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", host), url.size());
  const std::string authority = url.substr(host, end - host);
  if (authority.find_first_of("{}") != std::string::npos) {
    throw std::invalid_argument("a placeholder cannot say to which host an event goes: write it behind the host");
  }
  static_cast<void>(http::place_of(url));  // throws what is wrong with it
  if (url.find('#') != std::string::npos) throw std::invalid_argument("the url ends before the #");
  return {.url = Template::of_text(url, Form::url),
          .unix_socket = {},
          .shown = url.substr(0, end),
          .sends_in_clear = url.starts_with("http://") && !is_this_machine(authority)};
}

}  // namespace webhook
