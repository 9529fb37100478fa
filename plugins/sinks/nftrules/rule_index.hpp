// Which rules log with a prefix to a group.
#pragma once

#include "logging_rules.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nftrules {

// Prefixes are compared as topics are made: without blanks around them, in small letters. Thread safety: none.
class RuleIndex {
 public:
  struct Entry {
    std::string rule;        // as LoggingRule::name(); the first of them
    std::string candidates;  // a JSON array of the first of several, up to NFBUS_MAX_FIELD_VALUE; empty: it is only one
  };

  // most_bytes: texts that are kept at most.
  explicit RuleIndex(std::size_t most_bytes = kMostBytes) : most_bytes_(most_bytes) {}

  // A rule without a group is none that we hear. Those of one rule come one behind the other.
  void add(const LoggingRule& rule);
  // Null: none, or it was left out. Valid as long as the index. Allocates nothing.
  [[nodiscard]] const Entry* find(std::string_view prefix, std::uint16_t group) const noexcept;
  // Pairs of a prefix and a group for which there was no room.
  [[nodiscard]] std::size_t left_out() const noexcept { return left_out_; }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>()(key); }
  };

  std::size_t most_bytes_;
  std::size_t size_bytes_ = 0;
  std::size_t left_out_ = 0;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;  // by prefix and group
};

// In front of an index: one comparison for a packet whose prefix and group were met before. Thread safety: none.
class RuleCache {
 public:
  // As RuleIndex::find.
  const RuleIndex::Entry* find(const RuleIndex& index, std::string_view prefix, std::uint16_t group) noexcept;
  // Of another index, or of one that was changed, nothing is known.
  void clear() noexcept { slots_.fill({}); }

 private:
  static constexpr std::size_t kMostPrefix = 127;  // linux/netfilter/nf_log.h, NF_LOG_PREFIXLEN with its NUL

  struct Slot {
    std::array<char, kMostPrefix> prefix;  // as the packet has it
    std::uint8_t size;
    bool is_used;
    std::uint16_t group;
    const RuleIndex::Entry* entry;
  };

  std::array<Slot, 256> slots_{};
};

}  // namespace nftrules
