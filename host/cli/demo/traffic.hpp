// A little traffic, for as long as the demo runs: what each end of its network sends and answers.
#pragma once

namespace nfbus::host::demo {

// Each returns when the socket `control` is closed by the demo (or anything comes through it). What cannot be sent is
// left out: the next round sends it again.

// A device at home asks its router and the world; another one forges its hardware address.
void lan_traffic(int control);
// The world answers what it is asked, and knocks where it should not.
void wan_traffic(int control);
// The router's name server.
void router_services(int control);

}  // namespace nfbus::host::demo
