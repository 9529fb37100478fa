// What takes nft's own language: text made into messages, and rules made into text. libnftables does it in a child
// process that lives as long as one call: 1.0.6 dies of sets that a newer nft made, and its buffers grow until they
// are read. The library is loaded there, and only there.
#pragma once

#include "netlink.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

// Compiles commands of nft: the messages that it would send, in their order, without the batch's own begin and end. The
// kernel has checked them, and nothing is changed. Errors: invalid: nft's own words; io: the child died, and of what
// that comes most likely.
nfbus::Result<std::vector<Message>> compile(std::string_view commands);

// The attributes of a message about one table as those about another of its family.
std::string about_table(std::string_view attributes, std::string_view table);

// The rules of a chain by their handles, as nft writes them, without the values of counters. Errors as compile().
nfbus::Result<std::map<std::uint64_t, std::string>> rule_texts(std::string_view table, std::string_view chain);

// Reads the messages out of what libnftables prints with its debug flag "mnl": a row per four bytes, behind headers.
nfbus::Result<std::vector<Message>> messages_of(std::string_view printed);

}  // namespace nftrules
