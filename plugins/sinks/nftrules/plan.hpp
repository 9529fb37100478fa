// What has to change so that the ruleset logs as the configuration says, and what takes it back. A plan is made for one
// generation of the ruleset, and committed on that one alone.
#pragma once

#include "listing.hpp"
#include "netlink.hpp"
#include "ruleset.hpp"
#include "settings.hpp"
#include "state.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace nftrules {

// One rule's change, to show. The texts are as nft writes rules; `was` is empty of a new one, `now` of one that goes.
struct Change {
  TableName table;
  std::string chain;
  std::uint64_t handle = 0;  // 0: a new one
  std::string was;
  std::string now;
  std::string beside;  // of a new one: "before handle 12"
};

// A rule that the kernel does not take back as it gave it, and what it says.
struct LeftAlone {
  TableName table;
  std::uint64_t handle = 0;
  std::string why;
};

struct Plan {
  std::uint32_t generation = 0;
  std::vector<Message> batch;
  std::map<std::size_t, LeftAlone> replaced;  // by their places in the batch: rules that are written back
  std::vector<Change> changes;
  std::vector<State> states;        // as they are to be once the batch is committed
  std::vector<std::string> notes;   // what is as it should be already, what is left alone
  std::vector<std::string> errors;  // with any of these nothing is to be applied

  bool is_incomplete = false;  // something that should change cannot; the notes or errors say why

  [[nodiscard]] bool changes_nothing() const noexcept { return batch.empty(); }
};

struct PlanOptions {
  bool with_texts = false;  // changes are shown in nft's language where its library works; else by their log statements
  bool to_try = false;      // it may go back: nothing of ours is removed, and the states keep what was before
  std::span<const LeftAlone> left_alone = {};
};

using Planner = nfbus::Result<Plan> (*)(Netlink&, const Settings&, const StateFolder&, const PlanOptions&);

// Makes plans until the kernel would take one: rules that it does not take back come into `left_alone`.
nfbus::Result<Plan> plan_that_works(Planner make, Netlink& netlink, const Settings& settings, const StateFolder& folder,
                                    PlanOptions options, std::vector<LeftAlone>& left_alone);

nfbus::Result<Plan> plan_apply(Netlink& netlink, const Settings& settings, const StateFolder& folder,
                               const PlanOptions& options);
// Takes all of ours back.
nfbus::Result<Plan> plan_revert(Netlink& netlink, const Settings& settings, const StateFolder& folder,
                                const PlanOptions& options);
// Takes back what was applied to try it.
nfbus::Result<Plan> plan_back(Netlink& netlink, const Settings& settings, const StateFolder& folder,
                              const PlanOptions& options);

}  // namespace nftrules
