// What an answer teaches, whether it came as a packet or as a message.
#pragma once

#include "names.hpp"

#include <nfbus/dns.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dnsnames {

// A, AAAA and CNAME records; names dotted, with or without the trailing dot, in any case.
struct Record {
  nfbus::DnsType type;
  std::uint32_t ttl_s;
  std::string_view owner;
  std::span<const std::uint8_t> address;  // A and AAAA: 4 and 16 bytes
  std::string_view target;                // CNAME
};

// Learns the addresses that the question's name leads to, over any CNAMEs, under the name that was asked, in lower
// case. A name on the way lives no longer than the record that leads to it. Records of other names teach nothing.
void learn_answer(std::string_view question, std::span<const Record> records, std::int64_t now_ns, Names& names);

// Multicast DNS answers without a question, and speaks of names below `local.` alone (RFC 6762, sections 3 and 6): each
// address is learned under its own name; a TTL of 0 takes it back (section 10.1).
void learn_announcement(std::span<const Record> records, std::int64_t now_ns, Names& names);

}  // namespace dnsnames
