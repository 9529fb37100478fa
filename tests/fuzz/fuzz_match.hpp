// What the fuzzers of matches share: events to test, and promises to keep.
#pragma once

#include "check_event.hpp"
#include "match/match.hpp"
#include "must.hpp"
#include "packets.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::fuzz {

inline void must_be_one_line(const std::string& text) {
  must(text.find('\n') == std::string::npos, "an error of two lines");
}

inline const host::KnownFields& known_fields() {
  static const host::KnownFields known{.names = {"country"}, .any = false};
  return known;
}

// Each fixture as it is, and one more that a filter has annotated.
inline const std::vector<host::Event>& events() {
  static const std::vector<test::Packet> packets = test::load_packets(NFBUS_TEST_DATA);
  static const nfbus_field fields[] = {
      {NFBUS_TEXT("country"), NFBUS_TEXT("DE"), NFBUS_VALUE_TEXT, 0},
      {NFBUS_TEXT("RecentDomainDst"), NFBUS_TEXT("www.example.com."), NFBUS_VALUE_TEXT, 0}};
  static const std::vector<host::Event> all = [] {
    std::vector<host::Event> made;
    for (const test::Packet& packet : packets) made.push_back(test::decode_record(packet.record));
    made.push_back(made.back());
    made.back().fields = fields;
    made.back().field_count = 2;
    return made;
  }();
  return all;
}

inline void test(const host::MatchSet& match) {
  for (const host::Event& event : events()) {
    const std::uint32_t first = match.first(host::Facts(event));
    must(first <= match.table_count(), "a table that is not there");
    must(first == match.first(host::Facts(event)), "the same answer twice");
  }
}

}  // namespace nfbus::fuzz
