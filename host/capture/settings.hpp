// The settings of a [[capture]], which config/ fills in.
#pragma once

#include "support/placed.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host {

// Each with its unit and reason. Contract: design section 4.
namespace defaults {
inline constexpr std::uint32_t kSnaplenBytes = 65535;        // all of any packet
inline constexpr std::uint32_t kLatencyMs = 4;               // the kernel's next tick: big batches, yet prompt
inline constexpr std::uint32_t kRecvBufferBytes = 8U << 20;  // a quarter second of small packets at full blast
}  // namespace defaults

enum class Action : std::uint8_t { allowed = 1, blocked = 2 };  // values of NFBUS_ACTION_*

struct CaptureConfig {
  std::uint16_t group = 0;
  Action action = Action::allowed;
  std::vector<std::string> prefixes;  // lower-cased and trimmed, `*` is any run of bytes; empty: all
  std::vector<std::string> filters;   // names of FilterConfig, in order
  std::uint32_t snaplen_bytes = defaults::kSnaplenBytes;
  std::uint32_t latency_ms = defaults::kLatencyMs;
  std::uint32_t recv_buffer_bytes = defaults::kRecvBufferBytes;
  Placed where;

  bool operator==(const CaptureConfig&) const = default;
};

}  // namespace nfbus::host
