#include "place.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace http {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

void check_with_libcurl(const std::string& url, unsigned flags = 0) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  if (!parsed) throw std::bad_alloc();
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), flags);
  if (code != CURLUE_OK) throw std::invalid_argument(std::string("this is no url: ") + curl_url_strerror(code));
}

// Throws where a url has what would end or split a line of a request.
void check_bytes(std::string_view url) {
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
      throw std::invalid_argument("a url has no blanks and no control characters");
    }
  }
}

}  // namespace

Place place_of(const std::string& url) {
  constexpr std::string_view kUnix = "unix://";
  if (url.starts_with(kUnix)) {
    const std::string path = url.substr(kUnix.size());
    if (!path.starts_with('/')) throw std::invalid_argument("the path of a socket must be absolute: unix:///PATH");
    return {.base = "http://localhost", .unix_socket = path, .shown = url};
  }
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0) throw std::invalid_argument("a server's url begins with http://, https:// or unix://");
  const std::string_view rest = std::string_view(url).substr(scheme);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.empty() || authority.front() == ':') throw std::invalid_argument("the url names no host");
  if (authority.find('@') != std::string_view::npos) {
    throw std::invalid_argument("a url has no place for secrets: give user and password_file, or token_file");
  }
  check_bytes(url);
  check_with_libcurl(url);
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  return {.base = base, .unix_socket = {}, .shown = url};
}

void check_proxy(const std::string& url) {
  constexpr std::array<std::string_view, 6> kSchemes = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  const std::size_t end = url.find("://");
  if (url.find('@') != std::string::npos) {
    throw std::invalid_argument("this is no place for secrets; a proxy that wants a password is not supported");
  }
  if (end != std::string::npos && std::ranges::find(kSchemes, url.substr(0, end)) == kSchemes.end()) {
    throw std::invalid_argument("a proxy is http://HOST:PORT, https, socks4, socks4a, socks5 or socks5h");
  }
  check_bytes(url);
  check_with_libcurl(end == std::string::npos ? "http://" + url : url, CURLU_NON_SUPPORT_SCHEME);
}

}  // namespace http
