// Says what a packet's DNS message is about, as a person reads it.
#pragma once

#include "decode/dns.hpp"

#include <nfbus/abi.h>

#include <fmt/format.h>

#include <string_view>

namespace nfbus::host {

// Appends " DNS A? www.example.org", of a response " DNS A www.example.org = 192.0.2.1, +3 more" or its code instead of
// answers; nothing where the packet carries no message. Returns what is wrong with a broken one, a constant text; of
// that there may be a first question, of one that snaplen cut the answers that were captured whole, too. Names are
// printable(). Thread safety: as the decoder's, none.
std::string_view append_dns_text(const nfbus_event& event, DnsDecoder& decoder, fmt::memory_buffer& line);

}  // namespace nfbus::host
