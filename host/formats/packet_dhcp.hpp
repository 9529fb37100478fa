// The DHCP layer of the `packet` format: the JSON that SPR's decoder (gopacket 1.1.19) makes. A length of the
// hardware address above 16 is an error, where SPR shows bytes of the fields behind it.
#pragma once

#include "formats/text_buffer.hpp"

#include <nfbus/abi.h>

#include <string_view>

namespace nfbus::host {

// Appends `"DHCP":{...},` when the packet carries a DHCP message that decodes: all that dhcp_message() of
// decode/dhcp.hpp finds. full: with Contents and Payload. Returns what is wrong with a broken message (a constant text;
// nothing is appended then), else an empty text; of one that snaplen cut behind its header, the
// options that were captured whole are appended, and the text says so. Thread safety: any thread. Throws
// std::bad_alloc.
std::string_view append_dhcp(const nfbus_event& event, bool full, TextBuffer& out);

}  // namespace nfbus::host
