// Our form of rules: a match, what is told of it, and how often.
#pragma once

#include "message_template.hpp"
#include "quiet.hpp"
#include "rule.hpp"
#include "state.hpp"

#include <nfbus/match.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

// As it is written, checked.
struct OwnSettings {
  std::string name = {};
  std::string match_json = {};  // empty: each packet
  std::string severity = "info";
  std::string title = {};
  std::string message = {};
  std::vector<std::string> first_seen = {};
  std::vector<std::string> group_by = {};  // as it is written, or what first_seen names
  std::uint32_t cooldown_s = 10;
  std::uint32_t max_per_hour = 0;  // 0: any number
  std::uint32_t learn_s = 0;
  std::string snooze_until = {};  // RFC 3339; empty: not snoozed
  bool is_disabled = false;
};

// [any] Throws std::invalid_argument: "cooldown_s: ...".
[[nodiscard]] OwnSettings own_settings_of(const Json& rule);

// Thread safety: none; [worker].
class OwnRule final : public Rule {
 public:
  // around, state: outlive this. Throws std::invalid_argument: "match.dst: ...".
  OwnRule(OwnSettings settings, const Surroundings& around, State& state);

  void judge(JudgedEvent& event, std::int64_t now_ns, std::vector<Notification>& out) override;
  void tick(std::int64_t now_ns, std::vector<Notification>& out) override;
  void finish(std::int64_t now_ns, std::vector<Notification>& out) override;
  void take_over(Rule& before, std::int64_t now_ns, std::vector<Notification>& out) override;
  [[nodiscard]] bool matches(JudgedEvent& event) override;
  void clock_jumped(std::int64_t from_ns, std::int64_t to_ns) override;

  [[nodiscard]] std::string name() const override { return settings_.name; }
  [[nodiscard]] std::string id() const override { return settings_.name; }
  [[nodiscard]] std::string severity() const override { return settings_.severity; }
  [[nodiscard]] bool is_disabled() const override { return settings_.is_disabled; }
  [[nodiscard]] std::string snooze_until() const override { return snooze_until_; }

  // Of what it publishes; the rules of a file have different ones.
  [[nodiscard]] const std::string& topic() const noexcept { return topic_; }
  void set_topic(std::string topic) { topic_ = std::move(topic); }

  // Says so from now on, without a change to the rule's file. until: RFC 3339; empty: not any more.
  void snooze(const std::string& until);
  // Whether what snooze() said holds instead of what the file says.
  [[nodiscard]] bool has_other_snooze() const noexcept { return remembered_.snooze.has_value(); }
  [[nodiscard]] const OwnSettings& settings() const noexcept { return settings_; }

 private:
  [[nodiscard]] bool is_meant(nfbus::Event event) const noexcept { return match_ ? match_(event) : event.is_packet(); }
  // Whether it is one of which to tell; its key of first_seen is in news_ then.
  [[nodiscard]] bool is_news(JudgedEvent& event);
  void remember(std::string_view news);
  [[nodiscard]] bool only_learns(std::int64_t now_ns);
  [[nodiscard]] bool is_learning(std::int64_t now_ns) const noexcept;
  [[nodiscard]] bool is_snoozed(std::int64_t now_ns) const noexcept { return now_ns < snoozed_until_ns_; }
  // Where it may not: so many events are held back, by the limit that it is too much for.
  [[nodiscard]] bool may_tell(std::int64_t now_ns, std::uint64_t events);
  void hold(std::int64_t now_ns, std::uint64_t events) noexcept;
  void tell_window(const Windows::Window& window, std::int64_t now_ns, std::uint32_t window_s,
                   std::vector<Notification>& out);
  void end_windows(std::int64_t now_ns, std::vector<Notification>& out);
  void tell_held(std::uint64_t events, std::uint32_t window_s, std::int64_t now_ns, std::vector<Notification>& out);
  void tell_all_held(std::int64_t now_ns, std::vector<Notification>& out);
  void note_snooze(std::string until);
  [[nodiscard]] Telling telling_of(JudgedEvent& event) const;
  [[nodiscard]] Notification notification_of(Telling telling, std::uint64_t count, std::uint32_t window_s) const;

  const OwnSettings settings_;
  State& state_;
  RuleState& remembered_;
  nfbus::Match match_;  // none: each packet
  std::vector<Field> first_seen_;
  std::vector<Field> group_by_;
  MessageTemplate title_;
  MessageTemplate message_;
  std::string topic_;
  std::string snooze_until_;
  std::int64_t snoozed_until_ns_ = 0;
  Windows windows_;
  HourLimit hour_limit_;
  FloodLimit flood_limit_;
  std::string group_;  // this, and the next: their memory is used again
  std::string news_;
};

}  // namespace rules
