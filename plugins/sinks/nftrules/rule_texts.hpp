// Rules in nft's words: from its library where that works, and else of what netlink says.
#pragma once

#include "ruleset.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nftrules {

// Asks for a chain's texts once. Thread safety: none.
class RuleTexts {
 public:
  // Without nft: never asks its library.
  explicit RuleTexts(bool with_nft) : with_nft_(with_nft) {}

  // As nft lists it, or what it logs, where it looks and what its comment is.
  std::string of(const Rule& rule);
  // The text of a rule whose log statement is another one.
  static std::string with_log(std::string_view text, const LogStatement& was, const LogStatement& now);
  // Whether the rule says `words`: "@set" and "jump chain" by themselves, anything else as nft writes it.
  bool says(const Rule& rule, std::string_view words);
  // Why there are no texts of nft; empty: there are.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }

 private:
  // Null: nft's library does not tell it.
  const std::string* listed(const Rule& rule);

  bool with_nft_;
  std::string trouble_;
  std::map<std::string, std::map<std::uint64_t, std::string>, std::less<>> chains_;
};

}  // namespace nftrules
