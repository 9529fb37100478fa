// The DNS layer of the `packet` format: the JSON that SPR's decoder (gopacket 1.1.19) makes, but for what no resolver
// sends: a name that is longer than 255 bytes is an error, a record without data never is one, and a name that is
// nothing but a pointer to the root is null, as the root is (there it is "").
#pragma once

#include "formats/text_buffer.hpp"

#include <nfbus/abi.h>

#include <string_view>

namespace nfbus::host {

// Appends `"DNS":{...},` when the packet carries a DNS message that decodes: all that dns_message() of decode/dns.hpp
// finds. full: with Contents and Payload. Returns what is wrong with a broken message (a constant text; nothing is
// appended then), else an empty text; of one that snaplen cut, what was captured whole is appended, and the text says
// so. Its decoder is the calling thread's own, about half a megabyte from a thread's
// first DNS message on; see DnsDecoder for what a message may cost. Appended are at most 640 bytes for each record and
// 16 for each byte of the message and its names.
// Thread safety: any thread. Throws std::bad_alloc.
std::string_view append_dns(const nfbus_event& event, bool full, TextBuffer& out);

}  // namespace nfbus::host
