#include "composer.hpp"

#include "digest.hpp"

#include "../../lib/ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace webhook {
namespace {

// Whether a url's path has "." or ".." between its slashes, which lead to another one (RFC 3986, section 5.2.4).
bool has_dot_segment(std::string_view url) {
  std::string_view path = url.substr(url.find("://") + 3);
  path = path.substr(0, path.find('?'));
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

bool shows_id(const Settings& settings) {
  constexpr std::string_view kId = "id";
  return (settings.body && settings.body->asks_for(kId)) ||
         std::ranges::any_of(settings.headers, [&](const auto& header) { return header.second.asks_for(kId); }) ||
         std::ranges::any_of(settings.lookups, [&](const auto& lookup) { return lookup.second.of.asks_for(kId); });
}

}  // namespace

std::string id_of(nfbus::Event event) {
  // What of an event no filter changes between two tries.
  std::string said = std::to_string(event.raw()->kind) + ' ' + std::to_string(event.time_ns()) + ' ';
  if (event.is_packet()) {
    said += std::to_string(event.group()) + ' ' + std::to_string(event.raw()->sequence) + ' ';
  } else {
    said += std::string(event.topic()) + ' ';
  }
  said += event.text();  // of a packet: its bytes
  constexpr std::size_t kDigits = 32;
  return sha256(said).substr(0, kDigits);
}

Composer::Composer(const Settings& settings, nfbus::Host host)
    : settings_(settings),
      format_(host.format(settings.with_payload ? "packet_full" : "packet")),
      shows_id_(shows_id(settings)),
      facts_(settings.lookups, settings.device) {}

void Composer::look_at(nfbus::Event event, bool needs_id) {
  const std::string id = needs_id ? id_of(event) : std::string();
  facts_.set({.line = event.json(format_), .is_message = event.is_message(), .topic = event.topic(), .id = id});
}

void Composer::append_body(std::string& body) const {
  if (settings_.body) {
    static_cast<void>(settings_.body->append(facts_, body));
  } else {
    body += facts_.line();
  }
}

std::string Composer::add_url(const Target& target, http::Request& request) const {
  request.unix_socket = target.unix_socket;
  if (!target.url.append(facts_, request.url)) return "a placeholder of its url has no value";
  if (target.url.has_placeholders() && has_dot_segment(request.url)) {
    return "a value makes its url lead to another path, by a dot";
  }
  return {};
}

void Composer::add_headers(const Secrets& secrets, std::time_t now_s, std::string_view body,
                           http::Request& request) const {
  for (const auto& [name, value] : settings_.headers) {
    std::string text;
    static_cast<void>(value.append(facts_, text));
    if (output::trimmed(text).empty()) continue;
    request.headers.push_back(name + ": " + std::string(output::trimmed(text)));
  }
  if (!settings_.names_agent) request.headers.emplace_back("User-Agent: nfbus");
  request.headers.push_back("Content-Type: " + settings_.content_type);
  for (std::string& header : secrets.authorization()) request.headers.push_back(std::move(header));
  if (!settings_.hmac_secret.is_given()) return;
  std::string before;
  if (!settings_.hmac_time_header.empty()) {
    const std::string now = std::to_string(now_s);
    request.headers.push_back(settings_.hmac_time_header + ": " + now);
    before = now + '.';
  }
  const std::string digest =
      before.empty() ? hmac_sha256(secrets.hmac(), body) : hmac_sha256(secrets.hmac(), before + std::string(body));
  request.headers.push_back(settings_.hmac_header + ": sha256=" + digest);
}

std::string Composer::compose(nfbus::Events events, std::span<const std::uint32_t> indices, const Secrets& secrets,
                              std::time_t now_s, http::Request& request, std::string& body) {
  const Target& target = secrets.target();
  const bool is_array = settings_.batch_events > 1 && settings_.batch_form == BatchForm::array;
  const bool is_lines = settings_.batch_events > 1 && settings_.batch_form == BatchForm::lines;
  const bool needs_id = shows_id_ || target.url.asks_for("id");
  body.assign(is_array ? "[" : "");
  for (const std::uint32_t index : indices) {
    if (is_array && index != indices.front()) body += ',';
    look_at(events[index], needs_id);
    append_body(body);
    if (is_lines) body += '\n';
  }
  if (is_array) body += ']';
  request = {.url = {}, .method = settings_.method, .body = body};
  if (std::string wrong = add_url(target, request); !wrong.empty()) return wrong;
  add_headers(secrets, now_s, body, request);
  return {};
}

}  // namespace webhook
