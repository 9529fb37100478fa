// The filter nftcontext: says of a packet which rule logged it.
#pragma once

#include "rule_index.hpp"

#include <nfbus/filter.hpp>
#include <nfbus/host.hpp>
#include <nfbus/options.hpp>
#include <nfbus/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace nftrules {

inline constexpr nfbus_text kRuleField = NFBUS_TEXT("rule");
inline constexpr nfbus_text kCandidatesField = NFBUS_TEXT("rule_candidates");
inline constexpr nfbus_text kContextFields[] = {kRuleField, kCandidatesField};
inline constexpr std::uint32_t kContextTickMs = 250;

// A list of rules of which some pages are read.
struct Reading {
  RuleIndex index;
  std::uint64_t version = 0;
  std::size_t next = 0;  // 0: none is read
};

// Its privileged part lists the rules that log; packets are looked up in what it said last.
class Context {
 public:
  Context(nfbus::Host host, const nfbus::Options& options);

  // Reads the list, so that the first packet finds it. Without a privileged part it warns, and says nothing of packets.
  void open();
  void apply(nfbus::Candidates candidates);
  // Reads a page of a list that has changed; the capture thread has packets to read.
  void tick();

 private:
  // Asks whether rules have changed, or for the next page of the list if they have.
  nfbus::Result<void> go_on(std::chrono::milliseconds patience);
  nfbus::Result<void> read_page_of(Reading& reading, std::chrono::milliseconds patience);
  void take(Reading reading);
  void note(const nfbus::Result<void>& outcome);

  const nfbus::Host host_;
  const nfbus::Counter annotated_;
  const nfbus::Counter unknown_;
  RuleIndex index_;
  RuleCache cache_;
  std::uint64_t version_ = 0;  // of the list that index_ was made of; 0: there is none
  std::optional<Reading> reading_;
  std::uint32_t failures_ = 0;  // in a row
  bool is_over_ = false;        // the privileged part answers no more
};

}  // namespace nftrules
