// Who is never banned: the machine itself, its gateways, what is no single peer (multicast, link-local), and what the
// configuration allows. Nothing that is asked for overrides it.
#pragma once

#include "ban_network.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nftrules {

// Thread safety: none.
class AllowList {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AllowList(const std::vector<Network>& configured);

  // Reads this network namespace's addresses and default gateways, if the last look is older than a second; returns
  // whether the list has changed. Errors leave it as it was; before the first success nobody may be banned.
  nfbus::Result<bool> refresh(Clock::time_point now);

  // "it is this machine's own address 192.0.2.1"; empty: nobody in the network is allowed.
  [[nodiscard]] std::string why_allowed(const Network& network) const;

  // First and last addresses of all that is allowed, as keys; in order, and apart from each other.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> ranges(std::uint8_t family) const;

 private:
  struct Allowed {
    Network network;
    std::string why;
    friend bool operator==(const Allowed&, const Allowed&) = default;
  };

  std::vector<Allowed> fixed_;
  std::vector<Allowed> machine_;
  Clock::time_point read_at_{};
  bool was_read_ = false;
};

// The gateways of default routes in the text of /proc/net/route and of /proc/net/ipv6_route.
std::vector<Network> gateways_in_route(const std::string& text);
std::vector<Network> gateways_in_ipv6_route(const std::string& text);

}  // namespace nftrules
