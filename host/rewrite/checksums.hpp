// Checksums that follow a change of some bytes, without the bytes that were not captured: RFC 1624.
#pragma once

#include "decode/reader.hpp"
#include "event/event.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace nfbus::host {

// Writes `bytes` at `offset` over the packet in `payload` (of event.payload's size, which `event` was decoded from),
// and mends the checksums that `event` has layers for. offset + bytes.size() <= payload.size(). A UDP checksum of 0
// over IPv4 means that there is none, and stays.
void write_and_mend_checksums(const nfbus_event& event, std::span<std::uint8_t> payload, std::size_t offset,
                              Bytes bytes) noexcept;

}  // namespace nfbus::host
