// Statements in a rule's text, as nft writes and takes it, and other rules made of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nftrules {

// The statement `log` with its options, at [begin, end) of a text.
struct LogText {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string prefix;
  std::optional<std::uint16_t> group;
};

// The first that begins at `from` or behind it. What stands in quotes is none.
std::optional<LogText> find_log(std::string_view rule, std::size_t from = 0);

// The rule, with the statement that logs `prefix` logging to a group. None: the text has no such statement.
std::optional<std::string> with_group(const std::string& rule, std::string_view prefix, std::uint16_t group);

struct LogThenVerdict {
  std::string log;      // limited
  std::string verdict;  // for all
};

// A rule that limits its log and, with it, its verdict, as two. None: it is not made of these in that order.
std::optional<LogThenVerdict> split_limited(const std::string& rule, std::string_view verdict);

}  // namespace nftrules
