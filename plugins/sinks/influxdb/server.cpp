#include "server.hpp"

#include "../../lib/http/secret.hpp"

#include <utility>

namespace influx {

std::optional<Api> api_of(const http::Answer& ping) {
  std::string_view version = ping.header("x-influxdb-version");
  if (version.starts_with('v')) version.remove_prefix(1);
  if (version.starts_with("1.") || version.starts_with("0.")) return Api::v1;
  if (version.starts_with("2.")) return Api::v2;
  if (version.starts_with("3.")) return Api::v3;
  const std::string_view build = ping.header("x-influxdb-build");
  if (build == "Cloud") return Api::v2;
  if (build == "Core" || build == "Enterprise") return Api::v3;
  return std::nullopt;
}

const std::string& Server::target() const noexcept {
  const bool wants_bucket = api_ == Api::v2 || (api_ == Api::automatic && settings_.database.empty());
  const std::string& first = wants_bucket ? settings_.bucket : settings_.database;
  return !first.empty() ? first : wants_bucket ? settings_.database : settings_.bucket;
}

std::string Server::authorization() const {
  const bool by_token = api_ == Api::automatic ? !token_.empty() : api_ != Api::v1;
  if (by_token) {
    if (token_.empty()) return {};
    return (api_ == Api::v3 ? "Authorization: Bearer " : "Authorization: Token ") + token_;
  }
  if (settings_.user.empty()) return {};
  return "Authorization: Basic " + http::base64(settings_.user + ':' + password_);
}

http::Request Server::request(const std::string& path_and_query) const {
  http::Request out{
      .url = place().base + path_and_query, .unix_socket = place().unix_socket, .headers = {"User-Agent: nfbus"}};
  if (std::string header = authorization(); !header.empty()) out.headers.push_back(std::move(header));
  return out;
}

http::Request Server::ping() const { return request("/ping"); }
http::Request Server::read(const std::string& path_and_query) const { return request(path_and_query); }

bool Server::learn(const http::Answer& ping, std::string& why) {
  if (settings_.api != Api::automatic) return true;
  std::optional<Api> api = api_of(ping);
  if (!api) {
    why = place().shown + " does not say which InfluxDB it is (status " + std::to_string(ping.status) +
          R"( for /ping); set api = "v1", "v2" or "v3")";
    return false;
  }
  // InfluxDB 1.8 and others that speak of themselves as version 1 take v2's requests, too.
  if (*api == Api::v1 && settings_.database.empty()) api = Api::v2;
  if (*api == Api::v1 && settings_.points.layout == Layout::spr) {
    why = place().shown + R"( is an InfluxDB 1, which does not take the unsigned fields of layout = "spr")";
    return false;
  }
  api_ = *api;
  return true;
}

http::Request Server::write(bool is_gzip) const {
  std::string query;
  switch (api_) {
    case Api::v2:
      query = "/api/v2/write?bucket=" + http::percent_encoded(target()) +
              "&org=" + http::percent_encoded(settings_.org) + "&precision=ns";
      break;
    case Api::v3:
      query = "/api/v3/write_lp?db=" + http::percent_encoded(target()) +
              "&precision=nanosecond&accept_partial=true&no_sync=false";
      break;
    default:
      query = "/write?db=" + http::percent_encoded(target()) + "&precision=ns";
      if (!settings_.retention_policy.empty()) query += "&rp=" + http::percent_encoded(settings_.retention_policy);
      break;
  }
  http::Request out = request(query);
  out.method = http::Method::post;
  out.headers.emplace_back("Content-Type: text/plain; charset=utf-8");
  if (is_gzip) out.headers.emplace_back("Content-Encoding: gzip");
  return out;
}

bool Server::try_next() {
  forget_api();  // another place may be another version, and so may this one once it is back
  current_ = (current_ + 1) % settings_.places.size();
  return ++tried_ < settings_.places.size();
}

std::string Server::read_secret(bool& changed) {
  nfbus::Result<std::string> password = http::read_secret(settings_.password);
  if (!password.ok()) return password.error().text;
  nfbus::Result<std::string> token = http::read_secret(settings_.token);
  if (!token.ok()) return token.error().text;
  changed = *password != password_ || *token != token_;
  password_ = std::move(*password);
  token_ = std::move(*token);
  has_secret_ = true;
  return {};
}

}  // namespace influx
