// Names in matches and the numbers that they stand for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host::names {

// [any] Lower-cased, with `-` for `_`: so every name below is looked up.
[[nodiscard]] std::string canonical(std::string_view name);

// [any] IANA's protocol number: "tcp", "icmpv6".
[[nodiscard]] std::optional<std::uint32_t> protocol(const std::string& name);
// [any] Bits of Families: "ip", "inet".
[[nodiscard]] std::optional<std::uint32_t> family(const std::string& name);
// [any] The flag's bit in TcpHeader::flags().
[[nodiscard]] std::optional<std::uint32_t> tcp_flag(const std::string& name);
// [any] Types of ICMP, and of ICMPv6 plus kIcmpv6Types, that go by this name; empty: none.
[[nodiscard]] std::vector<std::uint32_t> icmp_types(const std::string& name);

// [any] All names, for suggestions.
[[nodiscard]] std::vector<std::string> protocols();
[[nodiscard]] std::vector<std::string> families();
[[nodiscard]] std::vector<std::string> tcp_flags();
[[nodiscard]] std::vector<std::string> icmp_types();

}  // namespace nfbus::host::names
