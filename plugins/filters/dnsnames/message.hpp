// Answers as a DNS server publishes them on the bus.
#pragma once

#include "names.hpp"

#include <cstdint>
#include <string_view>

namespace dnsnames {

// text: {"Q":[{"Name":"example.org.",..}],"A":[{"Hdr":{"Name":..,"Rrtype":1,"Ttl":300},"A":"192.0.2.1"},..]}, with AAAA
// records under "AAAA" and CNAME records under "Target" or "CNAME". False when it is not of that shape; then nothing
// was learned. Records of other types are passed over.
[[nodiscard]] bool learn_message(std::string_view text, std::int64_t now_ns, Names& names);

}  // namespace dnsnames
