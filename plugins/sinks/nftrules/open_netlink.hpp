// What each privileged part begins with.
#pragma once

#include "netlink.hpp"

#include <stdexcept>
#include <utility>

namespace nftrules {

// Throws why nf_tables of this network namespace is not open to us.
inline Netlink open_netlink() {
  auto netlink = Netlink::open();
  if (!netlink) throw std::runtime_error(netlink.error().text);
  // It opens for everybody; only what it answers tells whether we may.
  if (auto generation = netlink->generation(); !generation) throw std::runtime_error(generation.error().text);
  return std::move(netlink).value();
}

}  // namespace nftrules
