// How nft, iptables, tcpdump and ulogd2 write what matches ask for.
#pragma once

#include "match/keys.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfbus::host::other_words {

// [any] The key of ours that `name` is there: "saddr", "iifname", "dest_ip", "oob.in"; empty: none.
[[nodiscard]] std::string_view key_of(std::string_view name);

// [any] The port of a service that is often met: "ssh".
[[nodiscard]] std::optional<std::uint16_t> port_of(std::string_view service);

// [any] What to write for a number that is none: "; write [80, 443]"; empty: nobody knows.
[[nodiscard]] std::string number_to_write(const Key& key, std::string_view text);
// [any] The same of other texts: several in one, or with a ! before it.
[[nodiscard]] std::string text_to_write(const Key& key, const nlohmann::json& value);
// [any] The same of an interface's name: "eth+", or one that is longer than any.
[[nodiscard]] std::string interface_to_write(std::string_view text);
// [any] The same of TCP flags: "SYN|ACK" -> "; write \"syn,ack\"".
[[nodiscard]] std::string flags_to_write(std::string_view text);

}  // namespace nfbus::host::other_words
