// From a captured frame to an NFLOG message: so that a replayed packet is a record like any other.
#pragma once

#include "capture/link_header.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host {

// A frame as a capture file has it, and what stands beside it there. Of a DLT_NFLOG frame layer and bytes alone count.
struct CapturedFrame {
  LinkLayer layer = LinkLayer::nflog;
  std::span<const std::uint8_t> bytes = {};
  std::uint16_t group = 0;
  std::string_view prefix = {};       // the log prefix it is to have: kMaxPrefixBytes are kept
  std::uint32_t interface_index = 0;  // that it came in by, or left by; 0: what the link header says
  bool outgoing = false;              // it left; the link header may say so, too
  std::int64_t time_ns = 0;
};

// The most that write_message() may add to a frame.
inline constexpr std::size_t kMessageOverheadBytes = 384;

// Writes `frame` into `room` (frame.bytes.size() + kMessageOverheadBytes or more, aligned to 4) as one NFLOG netlink
// message. A frame whose link header is cut short becomes a message without payload. Payloads above 65,531 bytes, which
// no attribute can hold, are cut. Returns the bytes used, a multiple of 4.
std::size_t write_message(const CapturedFrame& frame, std::span<std::uint8_t> room) noexcept;

}  // namespace nfbus::host
