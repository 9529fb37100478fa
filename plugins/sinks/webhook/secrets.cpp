#include "secrets.hpp"

#include <stdexcept>
#include <utility>

namespace webhook {

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

std::string Secrets::without_secrets(std::string text) const {
  const std::string basic = settings_.user.empty() ? std::string() : http::base64(settings_.user + ':' + password_);
  // The path of a secret url; a server may show it without the host.
  const std::string path = target_ ? url_.substr(std::min(target_->shown.size(), url_.size())) : std::string();
  for (const std::string* const secret : {&token_, &password_, &hmac_, &basic, &path}) {
    if (secret->empty() || *secret == "/") continue;
    for (std::size_t at = text.find(*secret); at != std::string::npos; at = text.find(*secret, at)) {
      text.replace(at, secret->size(), "***");
      at += 3;
    }
  }
  return text;
}

}  // namespace webhook
