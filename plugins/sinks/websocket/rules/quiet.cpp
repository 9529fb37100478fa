#include "quiet.hpp"

#include "text.hpp"

namespace rules {

KeptTelling::KeptTelling(Telling telling, std::shared_ptr<CopyBudget> budget)
    : telling_(std::make_unique<Telling>(std::move(telling))), budget_(std::move(budget)) {
  if (budget_->take(telling_->size_bytes())) return;
  *telling_ = Telling{.time_ns = telling_->time_ns};
  if (!budget_->take(telling_->size_bytes())) telling_.reset();
}

KeptTelling::~KeptTelling() {
  if (telling_ && budget_) budget_->give_back(telling_->size_bytes());
}

std::uint64_t Windows::open(std::string_view group, std::int64_t now_ns) {
  if (cooldown_ns_ == 0) return 0;
  const std::uint64_t given_up = open_->full() ? open_->oldest().repeats : 0;
  open_->insert(group, Window{.begin_ns = now_ns});
  return given_up;
}

bool Windows::repeat(Window& window, std::int64_t now_ns) noexcept {
  // Rendering each event of a flood would cost more than the flood.
  constexpr std::uint64_t kEach = 16;
  constexpr std::int64_t kPauseNs = 100'000'000;
  ++window.repeats;
  if (window.repeats > kEach && now_ns - window.newest_ns < kPauseNs) return false;
  window.newest_ns = now_ns;
  return true;
}

void Windows::clock_jumped(std::int64_t forward_ns) {
  open_->each_newest([forward_ns](std::string_view, Window& window) {
    window.begin_ns += forward_ns;
    window.newest_ns += forward_ns;
    return true;
  });
}

bool HourLimit::has_room(std::int64_t now_ns) noexcept {
  if (most_ == 0) return true;
  if (is_over(now_ns) && held_ == 0) {
    begin_ns_ = now_ns;
    told_ = 0;
  }
  return told_ < most_;
}

void HourLimit::hold(std::int64_t now_ns, std::uint64_t events) noexcept {
  if (held_ == 0 && most_ == 0) begin_ns_ = now_ns;
  held_ += events;
}

std::uint64_t HourLimit::take_held(std::int64_t now_ns) noexcept {
  if (held_ == 0 || !is_over(now_ns)) return 0;
  begin_ns_ = now_ns;
  told_ = 0;
  return std::exchange(held_, 0);
}

void HourLimit::clock_jumped(std::int64_t forward_ns) noexcept { begin_ns_ += forward_ns; }

std::string held_text(std::uint64_t events, std::uint32_t window_s) {
  constexpr std::uint32_t kHour_s = 3600;
  return std::to_string(events) + (events == 1 ? " event was" : " events were") + " held back in the last " +
         (window_s == kHour_s ? "hour" : std::to_string(window_s) + " s");
}

Notification held_note(Shape shape, const std::string& title, const std::string& severity, std::uint64_t events,
                       std::uint32_t window_s, std::int64_t now_ns) {
  Notification out;
  out.shape = shape;
  out.rule = title;
  out.severity = severity;
  out.title = title;
  out.message = held_text(events, window_s);
  out.bus_topic = "alert:" + slug(title);
  out.topic = out.bus_topic;
  out.time_ns = now_ns;
  out.count = events;
  out.window_s = window_s;
  out.is_for_clients = false;  // SPR's know no such notification
  out.frame_type = out.bus_topic;
  out.bus_text = R"({"Topic":)" + in_quotes(out.topic) + R"(,"Name":)" + in_quotes(title) + R"(,"NotificationType":)" +
                 in_quotes(severity) + R"(,"Title":)" + in_quotes(title) + R"(,"Body":)" + in_quotes(out.message) +
                 R"(,"Count":)" + std::to_string(events) + R"(,"Window":)" + std::to_string(window_s) + '}';
  return out;
}

}  // namespace rules
