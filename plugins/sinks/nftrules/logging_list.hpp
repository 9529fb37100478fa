// The kernel's rules that log, kept current: in the privileged parts.
#pragma once

#include "logging_rules.hpp"
#include "netlink.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace nftrules {

// Several instances of a plugin may ask, each in its own rhythm. Thread safety: none.
class LoggingList {
 public:
  // netlink: outlives it.
  explicit LoggingList(Netlink& netlink) : netlink_(netlink) {}

  // Counts the changes of rules that were noticed, from 1 on; several at once may be one.
  nfbus::Result<std::uint64_t> version();
  // The page that begins with number `from`, see logging_rules.hpp. With 0 the list is made anew if rules have changed
  // since, or if texts are asked for.
  nfbus::Result<nlohmann::json> page(std::size_t from, const TextOf& text_of = {});

 private:
  Netlink& netlink_;
  std::optional<Monitor> monitor_;
  std::uint64_t version_ = 0;
  std::uint64_t listed_version_ = 0;
  std::vector<LoggingRule> rules_;  // as they were with listed_version_
};

}  // namespace nftrules
