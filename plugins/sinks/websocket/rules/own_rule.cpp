#include "own_rule.hpp"

#include "text.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace rules {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint32_t kMostTellingsPerSecond = 100;

template <typename Make>
auto at_key(std::string_view key, const Make& make) {
  try {
    return make();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string(key) + ": " + error.what());
  }
}

// The host names the place in it: `dst[1]: ...`, `[0].dst: ...`; or not.
nfbus::Match compile_match(const std::string& json, const nfbus::Host& host) {
  if (json.empty()) return {};
  try {
    return host.match(json);
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    const std::size_t end = text.find(": ");
    const bool has_place = end != std::string::npos && text.find_first_of(" \t") > end;
    throw std::invalid_argument("match" + std::string(!has_place ? ": " : text.starts_with('[') ? "" : ".") + text);
  }
}

}  // namespace

OwnRule::OwnRule(OwnSettings settings, const Surroundings& around, State& state)
    : settings_(std::move(settings)),
      state_(state),
      remembered_(state.of(settings_.name)),
      match_(compile_match(settings_.match_json, around.host)),
      first_seen_(at_key("first_seen", [&] { return fields_of(settings_.first_seen, around.host); })),
      group_by_(at_key("group_by", [&] { return fields_of(settings_.group_by, around.host); })),
      title_(
          at_key("title", [&] { return MessageTemplate(settings_.title, MessageTemplate::Lines::one, around.host); })),
      message_(at_key(
          "message", [&] { return MessageTemplate(settings_.message, MessageTemplate::Lines::several, around.host); })),
      topic_("alert:" + slug(settings_.name)),
      windows_(settings_.cooldown_s, around.copies),
      hour_limit_(settings_.max_per_hour),
      flood_limit_(kMostTellingsPerSecond) {
  const auto& snooze = remembered_.snooze;
  if (snooze && snooze->in_file != settings_.snooze_until) {
    remembered_.snooze.reset();
    state_.changed();
  }
  note_snooze(snooze ? snooze->until : settings_.snooze_until);
}

void OwnRule::note_snooze(std::string until) {
  snoozed_until_ns_ = time_of(until).value_or(0);
  snooze_until_ = std::move(until);
}

void OwnRule::snooze(const std::string& until) {
  remembered_.snooze.reset();
  if (until != settings_.snooze_until) remembered_.snooze = Snooze{.until = until, .in_file = settings_.snooze_until};
  state_.changed();
  note_snooze(until);
}

bool OwnRule::is_news(JudgedEvent& event) {
  if (first_seen_.empty()) return true;
  // What lacks one of the fields is no news of them.
  return make_key(first_seen_, event, news_) && !State::has_seen(remembered_, news_);
}

void OwnRule::remember(std::string_view news) {
  if (!first_seen_.empty() && !news.empty()) (void)state_.remember(remembered_, news);
}

bool OwnRule::is_learning(std::int64_t now_ns) const noexcept {
  const std::int64_t first_ns = remembered_.first_event_ns;
  if (first_ns == 0) return false;
  // A clock that is behind it (a router that boots without one) says nothing of how long ago that was.
  if (now_ns < first_ns) return !remembered_.has_learned;
  return now_ns - first_ns < std::int64_t{settings_.learn_s} * kSecondNs;
}

bool OwnRule::only_learns(std::int64_t now_ns) {
  if (settings_.learn_s == 0) return false;
  if (remembered_.first_event_ns == 0) {
    remembered_.first_event_ns = now_ns;
    state_.changed();
  }
  const bool learns = is_learning(now_ns);
  if (learns == remembered_.has_learned && now_ns >= remembered_.first_event_ns) {
    remembered_.has_learned = !learns;
    state_.changed();
  }
  return learns;
}

bool OwnRule::matches(JudgedEvent& event) {
  if (!is_meant(event.event()) || !is_news(event)) return false;
  remember(news_);
  return true;
}

bool OwnRule::may_tell(std::int64_t now_ns, std::uint64_t events) {
  if (!hour_limit_.has_room(now_ns)) {
    counters_.held_back += events;
    hour_limit_.hold(now_ns, events);
    return false;
  }
  if (!flood_limit_.may_tell(now_ns)) {
    hold(now_ns, events);
    return false;
  }
  hour_limit_.count_told();
  ++counters_.told;
  return true;
}

void OwnRule::hold(std::int64_t now_ns, std::uint64_t events) noexcept {
  if (events == 0) return;
  counters_.held_back += events;
  flood_limit_.hold(now_ns, events);
}

void OwnRule::judge(JudgedEvent& event, std::int64_t now_ns, std::vector<Notification>& out) {
  if (settings_.is_disabled || !is_meant(event.event())) return;
  const bool is_learning = !first_seen_.empty() && only_learns(now_ns);
  if (!is_news(event)) return;
  if (is_learning) {
    ++counters_.learned;
    remember(news_);
    return;
  }
  note_match(event.event());
  if (is_snoozed(now_ns)) {
    ++counters_.snoozed;
    return;
  }
  if (settings_.cooldown_s != 0) {
    make_key(group_by_, event, group_);
    if (Windows::Window* const window = windows_.find(group_); window != nullptr) {
      if (!Windows::repeat(*window, now_ns)) return;
      Telling telling = telling_of(event);
      telling.record = event.record();
      telling.news = news_;
      windows_.note(*window, std::move(telling));
      return;
    }
    // News that is held back opens none: it is told when it comes again, and not counted as a repeat.
    if (first_seen_.empty()) hold(now_ns, windows_.open(group_, now_ns));
  }
  if (!may_tell(now_ns, 1)) return;
  // What nobody was told of is still news.
  remember(news_);
  if (!first_seen_.empty()) hold(now_ns, windows_.open(group_, now_ns));
  out.push_back(notification_of(telling_of(event), 1, 0));
}

void OwnRule::tell_window(const Windows::Window& window, std::int64_t now_ns, std::uint32_t window_s,
                          std::vector<Notification>& out) {
  if (is_snoozed(now_ns)) {
    counters_.snoozed += window.repeats;
    return;
  }
  if (!may_tell(now_ns, window.repeats)) return;
  counters_.rolled_up += window.repeats;
  const Telling* const newest = window.newest.get();
  Telling telling = newest == nullptr ? Telling{.time_ns = now_ns} : *newest;
  remember(telling.news);
  // Where memory for copies was short.
  if (telling.title.empty()) telling.title = settings_.name;
  if (telling.topic.empty()) telling.topic = topic_;
  MessageTemplate::put_numbers(telling.message, window.repeats, window_s);
  telling.message += (telling.message.empty() ? "(x " : " (x ") + std::to_string(window.repeats) + " in " +
                     std::to_string(window_s) + " s)";
  out.push_back(notification_of(std::move(telling), window.repeats, window_s));
}

void OwnRule::tell_held(std::uint64_t events, std::uint32_t window_s, std::int64_t now_ns,
                        std::vector<Notification>& out) {
  if (events == 0) return;
  ++counters_.told;
  out.push_back(notification_of(
      {.title = settings_.name, .message = held_text(events, window_s), .topic = topic_, .time_ns = now_ns}, events,
      window_s));
}

void OwnRule::tick(std::int64_t now_ns, std::vector<Notification>& out) {
  windows_.end_due(now_ns,
                   [&](const Windows::Window& window) { tell_window(window, now_ns, settings_.cooldown_s, out); });
  if (is_snoozed(now_ns)) return;
  tell_held(flood_limit_.take_held(now_ns), flood_limit_.window_s(), now_ns, out);
  tell_held(hour_limit_.take_held(now_ns), hour_limit_.window_s(), now_ns, out);
}

void OwnRule::tell_all_held(std::int64_t now_ns, std::vector<Notification>& out) {
  if (is_snoozed(now_ns)) return;
  tell_held(flood_limit_.take_all_held(), flood_limit_.window_s(), now_ns, out);
  tell_held(hour_limit_.take_all_held(), hour_limit_.window_s(), now_ns, out);
}

void OwnRule::end_windows(std::int64_t now_ns, std::vector<Notification>& out) {
  windows_.end_all([&](const Windows::Window& window) {
    const std::int64_t lasted_s = std::max<std::int64_t>(now_ns - window.begin_ns, 0) / kSecondNs + 1;
    tell_window(window, now_ns, std::min(static_cast<std::uint32_t>(lasted_s), settings_.cooldown_s), out);
  });
}

void OwnRule::finish(std::int64_t now_ns, std::vector<Notification>& out) {
  end_windows(now_ns, out);
  tell_all_held(now_ns, out);
}

void OwnRule::take_over(Rule& before, std::int64_t now_ns, std::vector<Notification>& out) {
  auto& was = static_cast<OwnRule&>(before);
  if (!settings_.is_disabled && settings_.cooldown_s == was.settings_.cooldown_s &&
      settings_.group_by == was.settings_.group_by) {
    windows_.take_over(was.windows_);
  } else {
    was.end_windows(now_ns, out);
  }
  // Nobody would ask it any more, or of its hour.
  if (settings_.is_disabled) was.tell_all_held(now_ns, out);
  if (settings_.max_per_hour == 0 && !was.is_snoozed(now_ns)) {
    was.tell_held(was.hour_limit_.take_all_held(), was.hour_limit_.window_s(), now_ns, out);
  }
  Rule::take_over(before, now_ns, out);
  hour_limit_.take_over(was.hour_limit_);
  flood_limit_.take_over(was.flood_limit_);
}

void OwnRule::clock_jumped(std::int64_t from_ns, std::int64_t to_ns) {
  const std::int64_t forward_ns = to_ns - from_ns;
  windows_.clock_jumped(forward_ns);
  hour_limit_.clock_jumped(forward_ns);
  flood_limit_.clock_jumped(forward_ns);
  if (from_ns < remembered_.first_event_ns || !is_learning(from_ns)) return;
  remembered_.first_event_ns += forward_ns;
  state_.changed();
}

Telling OwnRule::telling_of(JudgedEvent& event) const {
  Telling out;
  out.title = title_.empty() ? settings_.name : title_.fill(event, kMostTitleBytes);
  out.message = message_.empty() ? default_message(event) : message_.fill(event, kMostMessageBytes);
  append_clean(out.topic, event.event().topic());
  out.copy = event.copy();
  out.time_ns = event.event().time_ns();
  return out;
}

Notification OwnRule::notification_of(Telling telling, std::uint64_t count, std::uint32_t window_s) const {
  MessageTemplate::put_numbers(telling.title, count, window_s);
  MessageTemplate::put_numbers(telling.message, count, window_s);
  Notification out;
  out.shape = Shape::rules;
  out.rule = settings_.name;
  out.severity = settings_.severity;
  out.title = std::move(telling.title);
  out.message = std::move(telling.message);
  out.topic = std::move(telling.topic);
  out.time_ns = telling.time_ns;
  out.count = count;
  out.window_s = window_s;
  out.record = std::move(telling.record);
  out.frame_type = topic_;
  out.bus_topic = topic_;
  out.bus_text = R"({"Topic":)" + in_quotes(out.topic) + R"(,"Name":)" + in_quotes(out.rule) +
                 R"(,"NotificationType":)" + in_quotes(out.severity) + R"(,"Title":)" + in_quotes(out.title) +
                 R"(,"Body":)" + in_quotes(out.message) + R"(,"Count":)" + std::to_string(count) + R"(,"Window":)" +
                 std::to_string(window_s) + (telling.copy.empty() ? "}" : R"(,"Event":)" + telling.copy + '}');
  out.frame_data = out.bus_text;
  return out;
}

std::unique_ptr<Rule> compile_own_rule(const Json& rule, const Surroundings& around, State& state) {
  return std::make_unique<OwnRule>(own_settings_of(rule), around, state);
}

}  // namespace rules
