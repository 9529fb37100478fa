// One value of a match, read and checked.
#pragma once

#include "match/keys.hpp"
#include "match/program.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Holds what a condition compares with, gathered from its values.
struct Values {
  std::vector<Range> ranges;
  std::vector<Ipv6Range> ranges6;
  std::vector<std::uint64_t> macs;
  std::vector<Pattern> patterns;
  std::vector<Pattern> message_patterns;  // of topics: one for each of `patterns`, which are for packets
  std::vector<BpfProgram> programs;
  std::string_view topic_root;      // outlives this; empty: not known
  std::vector<std::string> doubts;  // of values that can hardly be meant, each with its value
  std::size_t bpf_words_left = 0;   // that tcpdump expressions may still have
};

// [any] Adds a text or a number. Errors (invalid) name it, in words for the user, and leave `values` as they were.
[[nodiscard]] Result<void> add_value(const Key& key, const nlohmann::json& value, Values& values);

}  // namespace nfbus::host
