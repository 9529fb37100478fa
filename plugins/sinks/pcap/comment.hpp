// What a packet's comment says: prefix="drop:input " action=blocked uid=1000
#pragma once

#include <nfbus/abi.h>

#include <string>

namespace pcapsink {

// Appends it. Always valid UTF-8 (a byte that is not becomes U+FFFD), at most about 1 KiB.
void add_comment(const nfbus_event& event, std::string& out);

}  // namespace pcapsink
