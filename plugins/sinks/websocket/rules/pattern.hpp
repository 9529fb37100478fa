// The regular expressions that SPR's page writes behind `=~`, matched in time linear in the text.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rules {

// Of RE2's syntax: characters, `.`, classes ([a-f0-9], [^:], \d \w \s and their opposites), each with `*`, `+` or `?`
// behind it, and `^` and `$` at the ends. It need not hold for the whole text. Works on bytes. Thread safety: as a
// const object.
class Pattern {
 public:
  // Throws std::invalid_argument, which names what is beyond this.
  explicit Pattern(std::string_view text);

  [[nodiscard]] bool found_in(std::string_view text) const;

 private:
  struct Step {
    std::bitset<256> bytes;  // any of these
    bool may_lack = false;
    bool may_repeat = false;
  };
  // Which steps come next; one more bit for the end.
  using Places = std::uint64_t;
  static constexpr std::size_t kMostSteps = 63;

  [[nodiscard]] Places with_what_may_lack(Places places) const noexcept;

  std::vector<Step> steps_;
  bool from_start_ = false;
  bool to_end_ = false;
};

}  // namespace rules
