// The compiled form of a MatchSet: flat arrays that conditions point into.
#pragma once

#include "match/bpf.hpp"
#include "match/facts.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Both ends are in it. For Kind::masked: the wanted bits and the mask.
struct Range {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  constexpr auto operator<=>(const Range&) const = default;  // NOLINT(modernize-use-nullptr): in what it makes
};

struct Ipv6Range {
  Ipv6Number low;
  Ipv6Number high;
  constexpr auto operator<=>(const Ipv6Range&) const = default;  // NOLINT(modernize-use-nullptr): in what it makes
};

// A text that may have `*` in it, for any run of bytes.
struct Pattern {
  std::string text;  // in lower case where case is ignored
  bool has_star = false;
};

// Ordered by what a test costs: the cheap ones of a table are tested first.
enum class Kind : std::uint8_t {
  number = 1,  // the field's number lies in a range
  bits,        // the field's number has a bit of the mask
  masked,      // the field's number has the wanted bits under a mask
  port,        // either port lies in a range
  source,      // the address lies in a range
  destination,
  host,  // either address
  mac,   // one of the packet's
  text,
  folded_text,  // case ignored
  topic,        // of a packet case ignored; its patterns are those for packets, then as many for messages
  annotation,
  domain,
  bpf,
};

// `count` elements from `first` on of the array of its kind; any of them may match.
struct MatchCondition {
  Kind kind;
  Field field;
  bool negated;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint32_t first6 = 0;  // IPv6 addresses; for an annotation the index of its name
  std::uint32_t count6 = 0;
};

struct Table {
  Traits forbidden;        // an event with one of them does not match
  std::uint32_t required;  // bit(Field) of what an event must have
  std::uint32_t first;     // of its conditions
  std::uint32_t count;
};

// Estimates what testing all conditions takes at most, about.
struct MatchCost {
  std::uint64_t ns = 0;
  // More for each byte of a topic, which clients choose, and of a DNS message: a pattern with stars may have to begin
  // anew at each.
  std::uint64_t ns_per_topic_byte = 0;
  std::uint64_t ns_per_dns_byte = 0;
};

struct MatchProgram {
  std::vector<Table> tables;
  std::vector<MatchCondition> conditions;
  std::vector<Range> ranges;  // those of one condition are sorted, with gaps between them
  std::vector<Ipv6Range> ranges6;
  std::vector<std::uint64_t> macs;
  std::vector<Pattern> patterns;
  std::vector<std::string> names;  // of annotations
  std::vector<BpfProgram> programs;
  MatchCost cost;
};

}  // namespace nfbus::host
