#include "secrets.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace webhook {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::size_t kLeastSecretBytes = 12;  // of a step of a path: shorter ones are words of the service's

std::string with_mask(std::string_view text, std::string_view secret) {
  std::string out;
  for (std::size_t at = text.find(secret); at != std::string_view::npos; at = text.find(secret)) {
    out.append(text.substr(0, at)).append(kMask);
    text.remove_prefix(at + secret.size());
  }
  return out.append(text);
}

// RFC 3986, section 2.1. What is no %XX stays.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned byte = 0;
    const char* const digits = text.data() + at + 1;
    const bool is_escape =
        text[at] == '%' && at + 2 < text.size() && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    out += is_escape ? static_cast<char>(byte) : text[at];
    at += is_escape ? 2 : 0;
  }
  return out;
}

// As a string in JSON may have it.
std::string with_escaped_slashes(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '/' ? "\\/" : std::string(1, c);
  return out;
}

// How a server may show what stands behind the host: whole, the path or the query alone, and what of them is long
// enough for a secret; each in the spellings of it, the longest first.
std::vector<std::string> ways_to_show(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = url.find_first_of("/?", scheme == std::string::npos ? 0 : scheme + 3);
  if (begin == std::string::npos) return {};
  const std::string whole = url.substr(begin);
  const std::size_t query = whole.find('?');
  std::vector<std::string> parts = {whole, whole.substr(0, query)};
  if (query != std::string::npos) parts.push_back(whole.substr(query + 1));
  for (std::size_t from = 0; from < whole.size();) {
    const std::size_t to = std::min(whole.find_first_of("/?&=", from), whole.size());
    if (to - from >= kLeastSecretBytes) parts.push_back(whole.substr(from, to - from));
    from = to + 1;
  }
  std::vector<std::string> out;
  for (const std::string& part : parts) {
    if (part.size() < 2) continue;  // "/" stands everywhere
    for (const std::string& spelt : {part, percent_decoded(part)}) {
      out.push_back(spelt);
      out.push_back(with_escaped_slashes(spelt));
    }
  }
  return out;
}

}  // namespace

std::string Secrets::read(bool& changed) {
  std::string token;
  std::string password;
  std::string hmac;
  std::string url;
  std::optional<Target> target;
  for (const auto& [secret, value] : {std::pair(&settings_.token, &token), std::pair(&settings_.password, &password),
                                      std::pair(&settings_.hmac_secret, &hmac)}) {
    nfbus::Result<std::string> found = http::read_secret(*secret);
    if (!found.ok()) return found.error().text;
    *value = std::move(*found);
  }
  if (!settings_.url_file.empty()) {
    nfbus::Result<std::string> found = http::read_secret({.value = {}, .file = settings_.url_file});
    if (!found.ok()) return found.error().text;
    url = std::move(*found);
    try {
      target = target_of(url);
    } catch (const std::invalid_argument& error) {
      return "the url in " + settings_.url_file + ": " + error.what();
    }
    if (settings_.batch_events > 1 && target->url.has_placeholders()) {
      return "the url in " + settings_.url_file + ": placeholders are of one event: leave them out, or batch_events";
    }
  }
  changed = token != token_ || password != password_ || hmac != hmac_ || url != url_;
  token_ = std::move(token);
  password_ = std::move(password);
  hmac_ = std::move(hmac);
  url_ = std::move(url);
  target_ = std::move(target);
  fresh_ = true;
  return {};
}

std::vector<std::string> Secrets::authorization() const {
  std::vector<std::string> out;
  if (!token_.empty()) {
    const std::string scheme = settings_.token_scheme.empty() ? "" : settings_.token_scheme + ' ';
    out.push_back(settings_.token_header + ": " + scheme + token_);
  }
  if (!settings_.user.empty()) {
    out.push_back("Authorization: Basic " + http::base64(settings_.user + ':' + password_));
  }
  return out;
}

std::string Secrets::place() const {
  if (settings_.target) return settings_.target->shown;
  return target_ ? target_->shown : "the url in " + settings_.url_file;
}

std::string Secrets::without_secrets(std::string text, const std::string& url) const {
  std::vector<std::string> secrets = {token_, password_, hmac_};
  if (!settings_.user.empty()) secrets.push_back(http::base64(settings_.user + ':' + password_));
  for (std::string& shown : ways_to_show(url)) secrets.push_back(std::move(shown));
  for (const std::string& secret : secrets) {
    if (!secret.empty()) text = with_mask(text, secret);
  }
  return text;
}

}  // namespace webhook
