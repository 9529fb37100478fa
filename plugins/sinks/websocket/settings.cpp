#include "settings.hpp"

#include "address.hpp"

#include "../../lib/options.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace websocket {
namespace {

using nfbus::OptionError;
using nfbus::Options;
using output::text_or_empty;

bool is_loopback(const std::string& address) {
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  return address.starts_with("127.");
}

// "127.0.0.1:8787", "[::1]:8787", "localhost:8787", "fd:3".
Listen listen_of(const std::string& key, const std::string& text) {
  Listen out;
  if (text.starts_with("fd:")) {
    const char* const end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + 3, end, out.fd);
    if (error != std::errc() || last != end || out.fd < 3)
      throw OptionError(key, "fd:N is an open descriptor, 3 or more");
    return out;
  }
  const std::size_t colon = text.rfind(':');
  std::uint32_t port = 0;
  if (colon == std::string::npos || text.ends_with(']'))
    throw OptionError(key, "write ADDRESS:PORT, such as 127.0.0.1:8787 or [::1]:8787");
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || last != end || port > 65535) throw OptionError(key, "the port is a number, 0 to 65535");
  out.port = static_cast<std::uint16_t>(port);
  out.address = text.substr(0, colon);
  const bool is_bracketed = out.address.starts_with('[') && out.address.ends_with(']');
  if (is_bracketed) out.address = out.address.substr(1, out.address.size() - 2);
  if (out.address == "localhost") out.address = "127.0.0.1";
  in6_addr room{};
  const bool is_good = inet_pton(is_bracketed ? AF_INET6 : AF_INET, out.address.c_str(), &room) == 1;
  if (!is_good || out.address.find('\0') != std::string::npos) {
    throw OptionError(key, '"' + text + "\" is no address and port; write 127.0.0.1:8787, 0.0.0.0:8787 or [::1]:8787");
  }
  out.address = address_of(out.address).value_or(out.address);
  return out;
}

// loopback_only: others are not let in without a token.
std::vector<Listen> listens_of(const Options& options, bool loopback_only) {
  std::vector<Listen> out;
  std::set<std::string> seen;
  const auto add = [&](const std::string& key) {
    const std::string text = options.text(key);
    out.push_back(listen_of(key, text));
    const Listen& last = out.back();
    const std::string what =
        last.fd >= 0 ? "fd " + std::to_string(last.fd) : last.address + ' ' + std::to_string(last.port);
    const bool is_any_port = last.fd < 0 && last.port == 0;
    if (!is_any_port && !seen.insert(what).second) throw OptionError(key, "it stands there twice");
    if (!loopback_only || out.back().fd >= 0 || is_loopback(out.back().address)) return;
    throw OptionError(key, "others than this machine's own programs can connect to " + out.back().address +
                               ": give token_file = \"PATH\", with a token on each line");
  };
  const std::size_t count = options.count("listen");
  if (count == 0) add("listen");
  for (std::size_t i = 0; i < count; ++i) add("listen/" + std::to_string(i));
  return out;
}

// By whatever spelling, or link.
bool is_same_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  if (a.empty() || b.empty()) return false;
  std::error_code error;
  if (fs::absolute(a, error).lexically_normal() == fs::absolute(b, error).lexically_normal()) return true;
  return fs::equivalent(a, b, error);
}

// What is written replaces what it finds.
void refuse_shared_files(const Settings& settings) {
  const std::array<std::pair<std::string_view, const std::string&>, 6> files = {
      {{"notifications", settings.notifications},
       {"state_file", settings.state_file},
       {"token_file", settings.token_file},
       {"names", settings.names},
       {"cert_file", settings.server.cert_file},
       {"key_file", settings.server.key_file}}};
  for (const auto& [key, path] : {files[1], files[0]}) {
    for (const auto& [other, other_path] : files) {
      if (key == other || !is_same_file(path, other_path)) continue;
      throw OptionError(std::string(key), "this is the file of " + std::string(other) +
                                              ", too; nfbus writes to it, so it needs one of its own");
    }
  }
}

}  // namespace

Settings settings_of(const Options& options) {
  Settings out;
  out.token_file = text_or_empty(options, "token_file");
  const bool loopback_only = out.token_file.empty();
  out.server = {.listen = listens_of(options, loopback_only),
                .loopback_only = loopback_only,
                .cert_file = text_or_empty(options, "cert_file"),
                .key_file = text_or_empty(options, "key_file"),
                .most_connections = static_cast<std::size_t>(options.integer("max_clients"))};
  if (!out.server.key_file.empty() && out.server.cert_file.empty()) {
    throw OptionError("key_file", "a key is of a certificate: give cert_file, too");
  }
  out.sites = {.hosts = options.list("hosts"), .origins = options.list("origins")};
  for (std::size_t i = 0; i < out.sites.hosts.size(); ++i) {
    const std::optional<HostPort> host = host_port_of(out.sites.hosts[i]);
    if (!host || host->port != 0) {
      throw OptionError("hosts/" + std::to_string(i), "a host is a name alone, such as router.example.org");
    }
  }
  for (std::size_t i = 0; i < out.sites.origins.size(); ++i) {
    if (!origin_of(out.sites.origins[i])) {
      throw OptionError("origins/" + std::to_string(i),
                        "an origin is http://NAME or https://NAME, with a port or without");
    }
  }
  out.notifications = text_or_empty(options, "notifications");
  out.state_file = text_or_empty(options, "state_file");
  out.names = text_or_empty(options, "names");
  refuse_shared_files(out);
  out.history_events = static_cast<std::size_t>(options.integer("history_events"));
  out.history_bytes = static_cast<std::size_t>(options.integer("history_bytes"));
  out.client_queue_bytes = static_cast<std::size_t>(options.integer("client_queue_bytes"));
  return out;
}

}  // namespace websocket
