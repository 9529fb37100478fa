// One rule of notifications.json, compiled.
#pragma once

#include "judged_event.hpp"
#include "notification.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

class State;

// Of one rule, since the host started.
struct Counters {
  std::uint64_t matched = 0;    // events
  std::uint64_t told = 0;       // notifications
  std::uint64_t rolled_up = 0;  // events that roll-ups told of
  std::uint64_t held_back = 0;  // events of which nobody was told, as it would have been too much
  std::uint64_t snoozed = 0;    // events of which nobody was told for that
  std::uint64_t learned = 0;    // events that taught first_seen alone
  std::int64_t last_ns = 0;     // the newest event that matched; 0: none
};

// Lets so many notifications of a rule pass in a second, so that a flood of events is none of notifications. Thread
// safety: none.
class SecondLimit {
 public:
  explicit SecondLimit(std::uint32_t most) noexcept : most_(most) {}
  bool may_tell(std::int64_t now_ns) noexcept {
    constexpr std::int64_t kSecondNs = 1'000'000'000;
    if (now_ns < begin_ns_ || now_ns - begin_ns_ >= kSecondNs) {
      begin_ns_ = now_ns;
      told_ = 0;
    }
    if (told_ == most_) return false;
    ++told_;
    return true;
  }

 private:
  std::uint32_t most_;
  std::uint32_t told_ = 0;
  std::int64_t begin_ns_ = 0;
};

// Of the mission's and SPR's rules, which tell of each event.
inline constexpr std::uint32_t kMostPerSecond = 1000;

// Thread safety: none; [worker].
class Rule {
 public:
  Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;
  virtual ~Rule() = default;

  // now_ns: CLOCK_REALTIME of the last tick.
  virtual void judge(JudgedEvent& event, std::int64_t now_ns, std::vector<Notification>& out) = 0;
  // What is due by now.
  virtual void tick(std::int64_t /*now_ns*/, std::vector<Notification>& /*out*/) {}
  // What is open: the rule, or the host, ends.
  virtual void finish(std::int64_t /*now_ns*/, std::vector<Notification>& /*out*/) {}
  // Goes on with what the rule that stood in its place, and has the same id(), counts and waits for. out: what it does
  // not go on with.
  virtual void take_over(Rule& before, std::int64_t /*now_ns*/, std::vector<Notification>& /*out*/) {
    counters_ = before.counters_;
  }
  // Whether it would tell of the event, had it never been quiet.
  [[nodiscard]] virtual bool matches(JudgedEvent& event) = 0;
  // The clock was set: what lasted from a time on lasts as long as before.
  virtual void clock_jumped(std::int64_t /*from_ns*/, std::int64_t /*to_ns*/) {}

  [[nodiscard]] virtual std::string name() const = 0;          // empty: it has none
  [[nodiscard]] virtual std::string id() const { return {}; }  // what it keeps when it is changed; empty: nothing
  [[nodiscard]] virtual std::string severity() const = 0;
  [[nodiscard]] virtual bool is_disabled() const = 0;
  [[nodiscard]] virtual bool wants_everything() const { return false; }
  // RFC 3339; empty: it is not snoozed.
  [[nodiscard]] virtual std::string snooze_until() const { return {}; }

  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

 protected:
  void note_match(nfbus::Event event) noexcept {
    ++counters_.matched;
    counters_.last_ns = event.time_ns();
  }
  Counters counters_;
};

// [any] By its keys. Throws std::invalid_argument, which names them, when it is of none.
[[nodiscard]] Shape shape_of(const Json& rule);
// "notifications", "alerts", "rules"
[[nodiscard]] std::string_view name_of(Shape shape);

// [worker] Throws std::invalid_argument: "match.dst: ...". around, state: outlive the rule; what it has seen is in the
// state.
[[nodiscard]] std::unique_ptr<Rule> compile_rule(const Json& rule, Shape shape, const Surroundings& around,
                                                 State& state);

// The shapes' own. Each as compile_rule().
[[nodiscard]] std::unique_ptr<Rule> compile_packet_rule(const Json& rule, const Surroundings& around);
[[nodiscard]] std::unique_ptr<Rule> compile_alert(const Json& rule);
[[nodiscard]] std::unique_ptr<Rule> compile_own_rule(const Json& rule, const Surroundings& around, State& state);

}  // namespace rules
