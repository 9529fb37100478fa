// A little traffic, for as long as the demo runs: what each end of its network sends and answers.
#pragma once

#include "cli/demo/sockets.hpp"

#include <span>
#include <vector>

namespace nfbus::host::demo {

struct Service {
  Descriptor socket;
  void (*answer)(const Descriptor& server);
};

// Lists what the world and the router answer, bound and not served yet.
std::vector<Service> wan_services();
std::vector<Service> router_services();

// Each returns when the socket `control` is closed by the demo (or anything comes through it). What cannot be sent is
// left out: the next round sends it again.

// A device at home asks its router and the world; another one forges its hardware address.
void lan_traffic(int control);
// The world answers what it is asked, and knocks where it should not.
void wan_traffic(int control, std::span<const Service> services);
// The router only answers.
void router_traffic(int control, std::span<const Service> services);

}  // namespace nfbus::host::demo
