// Names of IP protocols and ICMP types, once for all who read or write them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host {

// A name may stand for several numbers and a number have several names; the first one is the usual. In lower case,
// with `-` between words.
struct ProtocolName {
  std::string_view name;    // "icmpv6"
  std::uint8_t number;      // IANA's
  std::string_view title;   // as people write it: "ICMPv6"; empty: of no layer that decode/ knows, or a second name
  std::uint32_t layer = 0;  // NFBUS_LAYER_*, where there is a title
};

enum class IcmpVersion : std::uint8_t { icmp = 1, icmpv6 };

struct IcmpTypeName {
  std::string_view name;  // "echo-request"
  IcmpVersion version;
  std::uint8_t type;
  bool in_lines;  // the one that a line for people shows; a type has at most one
};

// [any] All of them; never change.
[[nodiscard]] std::span<const ProtocolName> protocol_names() noexcept;
[[nodiscard]] std::span<const IcmpTypeName> icmp_type_names() noexcept;

// [any] The title of the first of these layers that is an IP protocol: "TCP"; empty: none.
[[nodiscard]] std::string_view protocol_title(std::uint32_t layers) noexcept;
// [any] The name that a line shows; empty: none.
[[nodiscard]] std::string_view icmp_line_name(IcmpVersion version, std::uint8_t type) noexcept;

}  // namespace nfbus::host
