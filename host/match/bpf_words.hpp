// Words of tcpdump's expressions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nfbus::host {

// [any] The first word of a pcap-filter(7) expression that libpcap may take for the name of a host or a network, which
// it would have to look up; empty: none. Asks the machine's own files for names of services and protocols.
[[nodiscard]] std::string name_to_look_up(std::string_view expression);

// [any] Its words, but for `or`, `and` and `not`. Of each libpcap makes 60 instructions at most, before it optimizes.
[[nodiscard]] std::size_t count_words(std::string_view expression);

}  // namespace nfbus::host
