// Reads what matches ask of an event, once.
#pragma once

#include "match/traits.hpp"

#include <nfbus/abi.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nfbus::host {

// Things that an event has or has not. The first are numbers, then texts.
enum class Field : std::uint8_t {
  action = 1,
  group,
  families,  // bits, Families
  protocol,
  source_port,
  destination_port,
  mark,
  uid,
  length,
  tcp_flags,
  icmp_type,  // ICMPv6's plus kIcmpv6Types
  topic,
  prefix,  // trimmed
  in_name,
  out_name,
  phys_in_name,  // of bridge ports
  phys_out_name,
  source,
  destination,
  mac,
  packet,  // one that starts with an IP header
};
inline constexpr std::size_t kNumbers = static_cast<std::size_t>(Field::topic);
inline constexpr std::size_t kTexts = static_cast<std::size_t>(Field::source) - kNumbers;

[[nodiscard]] constexpr std::uint32_t bit(Field field) noexcept { return 1U << static_cast<unsigned>(field); }

inline constexpr std::uint32_t kIcmpv6Types = 256;

// An event is of the family of the table that logged it, and of that of the packet in it.
enum Families : std::uint32_t {
  kFamilyIp = 1,
  kFamilyIp6 = 2,
  kFamilyArp = 4,
  kFamilyBridge = 8,
  kFamilyNetdev = 16,
};

struct Ipv6Number {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  constexpr auto operator<=>(const Ipv6Number&) const = default;  // NOLINT(modernize-use-nullptr): in what it makes
};

inline constexpr std::uint64_t kNoMac = ~std::uint64_t{0};

// An event's facts, for MatchSet. Valid as long as the event, whose annotations are looked up in it when asked for.
// Building it allocates nothing. Thread safety: none.
struct Facts {
  Facts() = default;  // of no event: no match may be tested
  explicit Facts(const nfbus_event& from) noexcept;

  const nfbus_event* event = nullptr;
  Traits traits;
  std::uint32_t present = 0;    // bit(Field)
  std::uint8_t ip_version = 0;  // of source and destination; ARP's are IPv4's
  std::array<std::uint32_t, kNumbers> numbers{};
  std::array<std::string_view, kTexts> texts{};
  std::uint32_t source = 0;  // IPv4, host order
  std::uint32_t destination = 0;
  Ipv6Number source6;
  Ipv6Number destination6;
  std::array<std::uint64_t, 3> macs = {kNoMac, kNoMac, kNoMac};

  [[nodiscard]] std::uint32_t number(Field field) const noexcept { return numbers[static_cast<std::size_t>(field)]; }
  [[nodiscard]] std::string_view text(Field field) const noexcept {
    return texts[static_cast<std::size_t>(field) - kNumbers];
  }

 private:
  void set(Field field, std::uint32_t value) noexcept;
  void set(Field field, std::string_view value) noexcept;
  void read_packet(const nfbus_event& from) noexcept;
  void read_network(const nfbus_event& from) noexcept;
  void read_transport(const nfbus_event& from) noexcept;
  void read_macs(const nfbus_event& from) noexcept;
  void set_traits() noexcept;
};

}  // namespace nfbus::host
