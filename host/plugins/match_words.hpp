// Matches as people type them, for plugins: the extension of nfbus/match_words.h.
#pragma once

#include "match/known_fields.hpp"

#include <nfbus/match_words.h>

#include <string>
#include <vector>

namespace nfbus::host {

// Of one instance, which it outlives. Thread safety: as const objects.
class MatchWords {
 public:
  explicit MatchWords(const KnownFields& fields);
  MatchWords(const MatchWords&) = delete;
  MatchWords& operator=(const MatchWords&) = delete;
  ~MatchWords() = default;

  [[nodiscard]] const nfbus_match_words* abi() const noexcept { return &abi_; }

 private:
  static std::uint32_t table(const void* context, nfbus_text words, void (*take)(void* taker, nfbus_text table),
                             void* taker, nfbus_error* error) noexcept;
  static std::uint32_t check(const void* context, nfbus_text tables, nfbus_error* error) noexcept;

  const KnownFields fields_;
  std::vector<std::string> names_;
  std::vector<nfbus_text> keys_;
  nfbus_match_words abi_{};
};

}  // namespace nfbus::host
