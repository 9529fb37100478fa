// Where packets come from: the kernel's NFLOG groups, or a pcap file.
#pragma once

#include <nfbus/result.hpp>

#include <atomic>
#include <cstdint>
#include <vector>

namespace nfbus::host {

// What became of a group's packets. Each number is exact and has one reason:
//   seen by the kernel's logger = received + lost;  received = published + not_forwarded + filtered.
struct CaptureSnapshot {
  std::uint16_t group;
  std::uint64_t received;
  std::uint64_t lost;  // gaps in the kernel's sequence numbers
  std::uint64_t published;
  std::uint64_t not_forwarded;  // prefix not in `prefixes`
  std::uint64_t filtered;       // dropped by capture filters
  std::uint64_t decode_errors;  // published all the same, with DecodeError
  std::uint64_t enobufs;        // times its buffer for us ran over: gaps, and what it reports besides
  // Not packets, and no sum: datagrams that the kernel dropped and that no packet may have told of yet, at most; what
  // was in them is not in `lost` before the next packet.
  std::uint32_t unseen_drops;
};

// Thread safety: run() on one thread of its own; stop() and snapshots() from any thread.
class Source {
 public:
  virtual ~Source() = default;
  // Reads until stop(), or to the end of the file; then drains what the kernel still holds, for a bounded time. An
  // error is final: packets read before it are published.
  virtual Result<void> run() = 0;
  virtual void stop() noexcept = 0;
  [[nodiscard]] virtual std::vector<CaptureSnapshot> snapshots() const = 0;
};

}  // namespace nfbus::host
