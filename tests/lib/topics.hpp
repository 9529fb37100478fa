// What a subscriber or a sink asks for, as it is written.
#pragma once

#include "event/topic_pattern.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace nfbus::host::test {

inline std::vector<TopicPattern> topics(std::initializer_list<std::string_view> texts) {
  std::vector<TopicPattern> patterns;
  for (const std::string_view text : texts) patterns.emplace_back(text, "nft:", Extent::beginning);
  return patterns;
}

}  // namespace nfbus::host::test
