// Selecting events: tables of keys, compiled. Contract: design section 8; the keys for users: sdk/README.md.
#pragma once

#include "match/facts.hpp"
#include "match/known_fields.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

struct MatchProgram;

// An array of tables, compiled. Immutable. Thread safety: any thread.
class MatchSet {
 public:
  MatchSet();  // of no tables: none ever holds
  explicit MatchSet(std::unique_ptr<const MatchProgram> program);
  MatchSet(MatchSet&& other) noexcept;
  MatchSet& operator=(MatchSet&& other) noexcept;
  ~MatchSet();

  [[nodiscard]] std::uint32_t table_count() const noexcept;
  // The first table that holds, counted from 1; 0: none does. Allocates nothing.
  [[nodiscard]] std::uint32_t first(const Facts& facts) const noexcept {
    return facts.traits.meet(forbidden_) ? 0 : search(facts);
  }
  [[nodiscard]] bool operator()(const Facts& facts) const noexcept { return first(facts) != 0; }
  // About how many ns first() takes at most for this event. Costs no more than that it is rejected at a glance.
  [[nodiscard]] std::uint64_t cost_ns(const Facts& facts) const noexcept {
    return facts.traits.meet(forbidden_) ? kGlanceNs : search_cost_ns(facts);
  }
  // Its memory.
  [[nodiscard]] std::size_t size_bytes() const noexcept;

 private:
  static constexpr std::uint64_t kGlanceNs = 8;
  [[nodiscard]] std::uint32_t search(const Facts& facts) const noexcept;
  [[nodiscard]] std::uint64_t search_cost_ns(const Facts& facts) const noexcept;

  Traits forbidden_ = kAllTraits;  // by every table: here, so that most tests go no further
  std::unique_ptr<const MatchProgram> program_;
};

// Tells what is wrong with a table, and where.
struct MatchFault {
  std::optional<std::size_t> table;    // in the array of tables; none: there is only one
  std::string key;                     // as written, "!dst"; empty: the table itself
  std::optional<std::size_t> element;  // of the key's list
  bool about_key = false;              // the key is wrong, not its value
  std::string text;                    // names the value: `"10.0.0.0/33": the prefix length is at most 32`
};

// "[0].dst[1]: TEXT"
[[nodiscard]] std::string to_string(const MatchFault& fault);

struct CompiledMatch {
  MatchSet matches;
  std::vector<MatchFault> faults;  // all of them; empty: good
  std::vector<MatchFault> doubts;  // what can hardly be meant, and is no fault
};

// How much a match may ask for.
struct MatchLimits {
  std::size_t bpf_words;  // of all its tcpdump expressions; `or`, `and` and `not` are free
};
inline constexpr MatchLimits kConfiguredMatch{.bpf_words = 3200};
// Compiled within some 20 ms, for everybody who may connect.
inline constexpr MatchLimits kClientMatch{.bpf_words = 64};

// [any] From a table, or an array of tables, of which the first that holds counts. Never throws but bad_alloc.
[[nodiscard]] CompiledMatch compile_match(const nlohmann::json& tables, const KnownFields& known,
                                          MatchLimits limits = kConfiguredMatch);

// [any] The same from JSON text. Code::invalid names the first fault.
[[nodiscard]] Result<MatchSet> compile_match_json(std::string_view text, const KnownFields& known,
                                                  MatchLimits limits = kConfiguredMatch);

// [any] From the text form, one table: `dst=10.0.0.0/8 port=53,1000-2000 !proto=udp prefix="drop:input "`.
//
//   - Conditions are separated by blanks; each is KEY=VALUE, or !KEY=VALUE for its negation.
//   - Commas separate the elements of a list, of which any may be; in tcp_flags all must hold, and `!` negates one.
//   - "..." and '...' take blanks, commas and the other quote as they are. Outside of quotes and inside of "..." a
//     backslash does so for the one character behind it.
//
// Code::invalid names the first fault as "column 5: port: TEXT"; columns are bytes, counted from 1.
[[nodiscard]] Result<MatchSet> compile_match_text(std::string_view text, const KnownFields& known);
// [any] The table that a text form stands for, as JSON; its faults are those of compile_match_text(), within the limits
// of a client, and bytes that are no UTF-8, for which JSON has no form.
[[nodiscard]] Result<nlohmann::json> match_table_of_text(std::string_view text, const KnownFields& known);

}  // namespace nfbus::host
