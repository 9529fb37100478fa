#include "rules_part.hpp"

#include "open_netlink.hpp"
#include "own_table.hpp"
#include "rule_texts.hpp"

#include <nfbus/privileged.hpp>

#include <linux/netfilter/nf_tables.h>
#include <sys/prctl.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;

constexpr int kMostTries = 10;
constexpr std::chrono::milliseconds kLockPatience{3000};
constexpr std::chrono::milliseconds kGrace{500};  // for who waits to take it back himself
constexpr std::size_t kMostShown = 500;           // changes in one answer
constexpr std::size_t kMostText = 400;            // bytes of each rule there

// As much as goes into an answer, and no half a character.
std::string shown(const std::string& text) {
  if (text.size() <= kMostText) return text;
  std::size_t size = kMostText;
  while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size) + "...";
}

// Notes and errors, the first of them.
json first_of(const std::vector<std::string>& texts) {
  json out = json::array();
  for (const std::string& text : texts) {
    if (out.size() == kMostShown) break;
    out.push_back(shown(text));
  }
  return out;
}

json as_json(const Plan& plan) {
  json changes = json::array();
  for (const Change& change : plan.changes) {
    if (changes.size() == kMostShown) break;
    changes.push_back({{"table", to_string(change.table)},
                       {"chain", change.chain},
                       {"handle", change.handle},
                       {"was", shown(change.was)},
                       {"now", shown(change.now)},
                       {"beside", change.beside}});
  }
  return {{"changes", std::move(changes)},   {"count", plan.changes.size()},     {"notes", first_of(plan.notes)},
          {"errors", first_of(plan.errors)}, {"incomplete", plan.is_incomplete}, {"applied", false}};
}

}  // namespace

RulesPart::RulesPart(const nfbus::Options& options)
    : settings_(settings_of(options)),
      folder_(settings_.state_dir),
      netlink_(open_netlink()),
      ban_settings_(ban_settings_of(options)),
      bans_(ban_settings_, netlink_),
      alarm_([this] { take_back_late(); }) {
  take_back_unconfirmed();
}

RulesPart::~RulesPart() {
  const std::lock_guard lock(mutex_);
  try {
    if (is_pending_) static_cast<void>(commit(&plan_back, {}));
  } catch (const std::exception&) {  // the next start takes it back
  }
}

// Somebody who waited for a confirmation was killed with all that could have taken the rules back. Who still waits
// holds the lock.
void RulesPart::take_back_unconfirmed() {
  for (const TableName& table : folder_.tables()) {
    const auto state = folder_.read(table);
    if (!state || !state->before || !folder_.lock(std::chrono::milliseconds(0))) continue;
    static_cast<void>(commit(&plan_back, {}));
    return;
  }
}

Result<std::string> RulesPart::request(std::string_view request) {
  const json parsed = json::parse(request, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("do") || !parsed.at("do").is_string()) {
    return Error{Code::invalid, "no request of nfbus's"};
  }
  const std::lock_guard lock(mutex_);
  auto answered = answer(parsed);
  if (!answered) return answered.error();
  return answered->dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<json> RulesPart::answer(const json& request) {
  const auto word = request.at("do").get<std::string>();
  const bool with_texts = request.value("texts", false);
  if (word == "plan") {
    auto plan = plan_that_works(&plan_apply, netlink_, settings_, folder_, {.with_texts = true}, left_alone_);
    if (!plan) return plan.error();
    json out = as_json(*plan);
    tell_own_table(out);
    return out;
  }
  if (word == "apply") return apply(request);
  if (word == "confirm") return confirm();
  if (word == "back" || word == "revert") {
    auto done = commit(word == "back" ? &plan_back : &plan_revert, {.with_texts = with_texts});
    if (done) set_pending(false);
    return done;
  }
  if (word == "poll") {
    if (!monitor_) {
      auto monitor = Monitor::open();
      if (!monitor) return monitor.error();
      monitor_ = std::move(monitor).value();
      return json{{"rules", true}, {"sets", true}, {"resync", true}};
    }
    const Monitor::Changes changes = monitor_->read();
    return json{{"rules", changes.rules}, {"sets", changes.sets}, {"resync", changes.resync}};
  }
  if (word == "logging") return logging(request);
  if (Bans::knows(word)) return bans_.request(request);
  return Error{Code::invalid, "no request of nfbus's: " + word};
}

Result<json> RulesPart::apply(const json& request) {
  const int confirm_s = request.value("confirm_s", 0);
  const bool is_pending = confirm_s != 0;
  if (is_pending) {  // before anything is there that has to be taken back
    confirm_by_ = Alarm::Clock::now() + std::chrono::seconds(confirm_s) + kGrace;
    set_pending(true);
    alarm_.set(confirm_by_);
  }
  auto done = commit(&plan_apply, {.with_texts = request.value("texts", false), .to_try = is_pending});
  const bool has_changed = done && done->at("applied").get<bool>() && done->at("count").get<std::size_t>() != 0;
  if (is_pending && !has_changed) set_pending(false);
  if (!done) return done;
  if (!request.value("hooks", false)) {
    tell_own_table(*done);
  } else {
    auto made = make_own_table(netlink_, settings_.hooks);
    if (!made) {
      done->at("errors").push_back(made.error().text);
    } else {
      (*done)["own_table_made"] = *made;
    }
  }
  return done;
}

// It is the running host's.
void RulesPart::tell_own_table(json& plan) const {
  if (!settings_.hooks.empty()) plan["own_table"] = own_table_text(settings_.hooks, kOwnTable);
}

// What is on the disk names old and new statements while the kernel has one of both, so that whatever is there after a
// crash can be put back.
Result<void> RulesPart::write_both(const Plan& plan, std::vector<State>& before) const {
  for (const State& after : plan.states) {
    auto now = folder_.read(after.table);
    if (!now) return now.error();
    before.push_back(*now);
    State both = std::move(now).value();
    for (const Exchanged& exchanged : after.exchanged) {
      if (std::ranges::find(both.exchanged, exchanged) == both.exchanged.end()) both.exchanged.push_back(exchanged);
    }
    if (after.before) both.before = after.before;
    both.has_insertions = both.has_insertions || after.has_insertions;
    if (both == before.back()) continue;
    if (auto written = folder_.write(both); !written) return written;
  }
  return {};
}

Result<json> RulesPart::commit(Planner make, const PlanOptions& options) {
  if (auto locked = folder_.lock(kLockPatience); !locked) return locked.error();
  struct Unlock {
    RulesPart& part;
    // What waits for a confirmation keeps others away.
    ~Unlock() {
      if (!part.is_pending_) part.folder_.unlock();
    }
  } const unlock{*this};
  for (int tries = 0; tries < kMostTries; ++tries) {
    auto plan = plan_that_works(make, netlink_, settings_, folder_, options, left_alone_);
    if (!plan) return plan.error();
    json out = as_json(*plan);
    if (!plan->errors.empty()) return out;
    if (plan->changes_nothing()) {
      for (State& after : plan->states) after.before.reset();
    }
    std::vector<State> before;
    auto done = write_both(*plan, before);
    if (done) done = netlink_.commit(plan->batch, plan->generation);
    if (!done) {
      for (const State& state : before) static_cast<void>(folder_.write(state));
      if (done.error().code == Code::busy) continue;
      return done.error();
    }
    out["applied"] = true;
    for (const State& after : plan->states) {
      // What is on the disk names more, and suffices to revert.
      if (auto written = folder_.write(after); !written) {
        out["notes"].push_back("it is applied, but " + written.error().text);
      }
    }
    return out;
  }
  return Error{Code::busy, "the ruleset changes faster than it can be mended; nothing was changed"};
}

Result<json> RulesPart::confirm() {
  if (!is_pending_) return json{{"was_pending", false}};
  // It removes, too, what the configuration has no more.
  auto done = commit(&plan_apply, {});
  if (!done) return done;
  if (!done->at("applied").get<bool>()) {
    for (const TableName& table : folder_.tables()) {
      auto state = folder_.read(table);
      if (!state) return state.error();
      state->before.reset();
      if (auto written = folder_.write(*state); !written) return written.error();
    }
  }
  set_pending(false);
  return json{{"was_pending", true}};
}

// A part ends with its host at once. While something waits for a confirmation it has to take that back first: it sees
// the end of its socket.
void RulesPart::set_pending(bool is_pending) {
  if (is_pending_ == is_pending) return;
  is_pending_ = is_pending;
  ::prctl(PR_SET_PDEATHSIG, is_pending ? 0 : SIGKILL);
  if (is_pending) return;
  alarm_.clear();
  folder_.unlock();
}

// Whoever waits for the confirmation takes it back in time, unless he is stopped, or stuck in what he prints.
void RulesPart::take_back_late() {
  const std::lock_guard lock(mutex_);
  if (!is_pending_ || Alarm::Clock::now() < confirm_by_) return;
  try {
    if (commit(&plan_back, {})) return set_pending(false);
  } catch (const std::exception&) {  // the next start takes it back
  }
}

Result<json> RulesPart::logging(const json& request) {
  const std::size_t from = request.value("from", std::size_t{0});
  if (!request.value("texts", false)) return list_.page(from);
  RuleTexts texts(true);
  return list_.page(from, [&](const Rule& rule) {
    std::string text = texts.of(rule);
    return texts.trouble().empty() ? text : std::string();
  });
}

}  // namespace nftrules

NFBUS_PRIVILEGED_PART(nftrules::RulesPart);
