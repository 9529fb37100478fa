#include "place.hpp"

#include <curl/curl.h>

#include <memory>
#include <stdexcept>
#include <string_view>

namespace http {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

void check_with_libcurl(const std::string& url) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  if (!parsed) throw std::bad_alloc();
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  if (code != CURLUE_OK) throw std::invalid_argument(std::string("this is no url: ") + curl_url_strerror(code));
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
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
      throw std::invalid_argument("a url has no blanks and no control characters");
    }
  }
  check_with_libcurl(url);
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  return {.base = base, .unix_socket = {}, .shown = url};
}

}  // namespace http
