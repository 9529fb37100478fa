// What needs CAP_NET_ADMIN, in a process of its own (nfbus/privileged.hpp). Holds the configuration as it was checked,
// and does what its few requests allow; none of them brings a rule, a prefix or a group.
//
// Requests and answers are JSON:
//   {"do":"plan"}     -> what applying would change: a plan:
//   {"changes":[{"table","chain","handle","was","now","beside"}],"count",
//                        "notes","errors"}
//   {"do":"apply","confirm_s":N,"hooks":BOOL,"texts":BOOL} -> the plan, and {"applied":BOOL}. confirm_s: it goes back
//                        unless confirm comes in so many seconds, and when the part ends; 0: it stays. hooks: the own
//                        table, too, which lives as long as the part
//   {"do":"confirm"}  -> {"was_pending":BOOL}
//   {"do":"back"}     -> the plan, and {"applied":BOOL}: takes back what waits for confirm
//   {"do":"revert","texts":BOOL} -> the plan, and {"applied":BOOL}: takes all back
//   {"do":"poll"}     -> {"rules":BOOL,"sets":BOOL,"resync":BOOL}: what changed since the last one
//   {"do":"logging","from":N,"texts":BOOL} -> a page of the rules that log, see logging_rules.hpp
//   bans: see ban_part.hpp
#pragma once

#include "alarm.hpp"
#include "ban_part.hpp"
#include "ban_settings.hpp"
#include "logging_list.hpp"
#include "netlink.hpp"
#include "plan.hpp"
#include "settings.hpp"
#include "state.hpp"

#include <nfbus/options.hpp>
#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

class RulesPart {
 public:
  // Throws what is wrong with the options, or that this network namespace is not open to us.
  explicit RulesPart(const nfbus::Options& options);
  // Takes back what nobody has confirmed.
  ~RulesPart();
  RulesPart(const RulesPart&) = delete;
  RulesPart& operator=(const RulesPart&) = delete;

  nfbus::Result<std::string> request(std::string_view request);

 private:
  nfbus::Result<nlohmann::json> answer(const nlohmann::json& request);
  nfbus::Result<nlohmann::json> commit(Planner make, const PlanOptions& options);
  nfbus::Result<nlohmann::json> apply(const nlohmann::json& request);
  void tell_own_table(nlohmann::json& plan) const;
  nfbus::Result<nlohmann::json> confirm();
  nfbus::Result<nlohmann::json> logging(const nlohmann::json& request);
  nfbus::Result<void> write_both(const Plan& plan, std::vector<State>& before) const;
  void take_back_unconfirmed();
  void set_pending(bool is_pending);
  void take_back_late();

  const Settings settings_;
  StateFolder folder_;
  Netlink netlink_;
  LoggingList list_{netlink_};
  const BanSettings ban_settings_;
  Bans bans_;
  std::optional<Monitor> monitor_;
  std::vector<LeftAlone> left_alone_;
  bool is_pending_ = false;
  Alarm::Clock::time_point confirm_by_;  // while pending
  std::mutex mutex_;                     // of all above: requests, and the alarm
  Alarm alarm_;
};

}  // namespace nftrules
