// Who holds an NFLOG group: the answer to "operation not permitted" that helps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace nfbus::host {

// "ulogd (pid 123)", or "another process (netlink port 123)" when this process may not see which; nothing when nobody
// holds the group, or when the kernel does not say (then we have no rights here either).
std::optional<std::string> find_group_holder(std::uint16_t group);

}  // namespace nfbus::host
