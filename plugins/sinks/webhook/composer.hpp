// Makes requests of events.
#pragma once

#include "../../lib/http/client.hpp"
#include "facts.hpp"
#include "secrets.hpp"
#include "settings.hpp"

#include <nfbus/host.hpp>
#include <nfbus/sink.hpp>

#include <cstdint>
#include <ctime>
#include <span>
#include <string>

namespace webhook {

// 32 hexadecimal digits: the same whenever this event is sent, in a later run, too, and another for each other event.
[[nodiscard]] std::string id_of(nfbus::Event event);

// Thread safety: none. [worker]
class Composer {
 public:
  Composer(const Settings& settings, nfbus::Host host);

  // Makes `request` of these events of a batch; its body is a view of `body`. Returns why that cannot be; empty: it is
  // made. now_s: since 1970, for the signature. The secrets must have been read.
  [[nodiscard]] std::string compose(nfbus::Events events, std::span<const std::uint32_t> indices,
                                    const Secrets& secrets, std::time_t now_s, http::Request& request,
                                    std::string& body);

 private:
  void look_at(nfbus::Event event, bool needs_id);
  void append_body(std::string& body) const;
  [[nodiscard]] std::string add_url(const Target& target, http::Request& request) const;
  void add_headers(const Secrets& secrets, std::time_t now_s, std::string_view body, http::Request& request) const;

  const Settings& settings_;
  const nfbus::Format format_;
  const bool shows_id_;  // in the body or a header
  Facts facts_;
};

}  // namespace webhook
