// One value of a match, read and checked.
#pragma once

#include "match/keys.hpp"
#include "match/program.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host {

// Holds what a condition compares with, gathered from its values.
struct Values {
  std::vector<Range> ranges;
  std::vector<Ipv6Range> ranges6;
  std::vector<std::uint64_t> macs;
  std::vector<Pattern> patterns;
  std::vector<BpfProgram> programs;
  std::size_t bpf_words_left = 0;  // that tcpdump expressions may still have
};

// [any] Adds a text or a number. Errors (invalid) name it, in words for the user, and leave `values` as they were.
[[nodiscard]] Result<void> add_value(const Key& key, const nlohmann::json& value, Values& values);

}  // namespace nfbus::host
