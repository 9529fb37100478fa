// An event as bytes and back: what is kept on disk, handed to another process, or sent to `nfbus tap`.
#pragma once

#include "decode/reader.hpp"
#include "event/event.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <vector>

namespace nfbus::host::record {

// The layout that encode() writes, and the only one that decode() reads: README.md.
inline constexpr std::uint8_t kVersion = 1;

// Appends the event to `out`: of a packet the kernel's bytes, of a message its text, and what these do not tell. Leaves
// `out` unchanged when the event has 4 GiB or more, the only failure. [any]
[[nodiscard]] Result<void> encode(const nfbus_event& event, std::vector<std::uint8_t>& out);

// Reads what encode() wrote, no byte less or more, and decodes the packet in it. encode() of the result gives `bytes`
// again. `event` points into `bytes`, `fields` and `ports` and belongs to no batch: copy_events() makes one of it. Any
// bytes may be given; memory is taken for as many fields as are there. Code::unsupported: another version, or another
// machine's byte order; Code::invalid: no record. A failure leaves `event` unchanged and anything in `fields` and
// `ports`. [any]
[[nodiscard]] Result<void> decode(Bytes bytes, Event& event, std::vector<nfbus_field>& fields, nfbus_ports& ports);

}  // namespace nfbus::host::record
