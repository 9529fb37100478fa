// The devices behind addresses: when they were seen, and what the user calls them.
#pragma once

#include "device_names.hpp"

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>
#include <nfbus/lru_map.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace websocket {

// When an address was seen, longer than its events are kept.
struct Seen {
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::array<std::uint8_t, 6> mac = {};  // that it sent from last; all zero: none is known
};

// Bounded: the address that was seen longest ago is forgotten. Addresses are of 4 or 16 bytes; names are valid until
// the next refresh(), and empty where there is none. Thread safety: none; [worker].
class Devices {
 public:
  // names_path: the file `names`; empty: there is none.
  Devices(nfbus::Host host, std::string names_path);

  [[nodiscard]] DeviceNames& names() noexcept { return names_; }
  // Source and destination of a packet.
  void see(nfbus::Event packet);
  // Zeros: never, or long ago.
  [[nodiscard]] Seen seen(std::span<const std::uint8_t> address);

  // By the address, else by the MAC that it sent from last.
  [[nodiscard]] std::string_view name_of(std::span<const std::uint8_t> address);
  // The same of a packet's source, but first by the MAC of this packet.
  [[nodiscard]] std::string_view name_of_source(nfbus::Event packet);

 private:
  Seen* see(std::span<const std::uint8_t> address, std::int64_t time_ns);

  DeviceNames names_;
  nfbus::LruMap<std::array<std::uint8_t, 16>, Seen> seen_;
};

}  // namespace websocket
