#include "origin.hpp"

#include "../address.hpp"

#include "../../../lib/ascii.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace websocket {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

using output::lower;

bool is_same_origin(const HostPort& origin, const HostPort& host) {
  if (origin.host != host.host) return false;
  if (host.port != 0) return origin.port == host.port;
  // Behind a proxy with TLS the name alone arrives.
  return origin.port == kHttpPort || origin.port == kHttpsPort;
}

}  // namespace

std::optional<HostPort> host_port_of(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = lower(text.substr(1, end - 1));
    if (out.host.find(':') == std::string::npos) return std::nullopt;
    rest = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    out.host = lower(text.substr(0, colon));
    if (colon != std::string_view::npos) rest = text.substr(colon);
    if (out.host.ends_with('.')) out.host.pop_back();
  }
  constexpr std::string_view kBytes = "abcdefghijklmnopqrstuvwxyz0123456789-._:%";
  if (out.host.empty() || out.host.find_first_not_of(kBytes) != std::string::npos) return std::nullopt;
  if (rest == ":") rest = {};  // RFC 3986, section 3.2.3: no port, too
  if (!rest.empty()) {
    const char* const end = rest.data() + rest.size();
    const auto [last, error] = std::from_chars(rest.data() + 1, end, out.port);
    if (rest[0] != ':' || error != std::errc() || last != end || out.port == 0) return std::nullopt;
  }
  if (std::optional<std::string> address = address_of(out.host)) {
    out.is_address = true;
    out.host = std::move(*address);
  }
  if (text.starts_with('[') && !out.is_address) return std::nullopt;
  return out;
}

std::optional<HostPort> origin_of(std::string_view text) {
  std::uint16_t usual_port = 0;
  for (const auto& [scheme, usual] : {std::pair<std::string_view, std::uint16_t>("http://", kHttpPort),
                                      std::pair<std::string_view, std::uint16_t>("https://", kHttpsPort)}) {
    if (lower(text.substr(0, scheme.size())) != scheme) continue;
    text.remove_prefix(scheme.size());
    usual_port = usual;
    break;
  }
  if (usual_port == 0) return std::nullopt;
  std::optional<HostPort> out = host_port_of(text);
  if (!out) return std::nullopt;
  if (out->port == 0) out->port = usual_port;
  out->is_secure = usual_port == kHttpsPort;
  return out;
}

std::optional<Response> refuse_site(const Request& request, const Sites& sites) {
  const std::optional<HostPort> host = host_port_of(request.header("host"));
  if (!host) return refusal(400, "the Host header must name this server, once");
  const bool is_known =
      host->is_address || host->host == "localhost" || std::ranges::any_of(sites.hosts, [&](const std::string& name) {
        const std::optional<HostPort> known = host_port_of(name);
        return known && known->host == host->host;
      });
  if (!is_known) {
    return refusal(403, "no page of \"" + host->host + "\" is served here: add the name to hosts, or use the address");
  }
  if (!request.has_header("origin")) return std::nullopt;
  const std::optional<HostPort> origin = origin_of(request.header("origin"));
  // What comes without TLS anyone on the way may have written. The other way round a proxy may have taken it off.
  const bool is_safe = origin && (origin->is_secure || !request.is_tls);
  if (is_safe && is_same_origin(*origin, *host)) return std::nullopt;
  if (origin && std::ranges::any_of(sites.origins, [&](const std::string& one) { return origin_of(one) == origin; })) {
    return std::nullopt;
  }
  return refusal(403, "pages of another origin may not ask here: add theirs to origins");
}

}  // namespace websocket
