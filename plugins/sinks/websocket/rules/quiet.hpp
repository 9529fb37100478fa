// How a rule of ours keeps quiet: repeats within the cooldown become one notification, and so many an hour are enough.
#pragma once

#include "rule.hpp"

#include <nfbus/lru_map.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rules {

// What is told of one event.
struct Telling {
  std::string title = {};
  std::string message = {};
  std::string topic = {};
  std::string copy = {};    // the event's JSON; empty: there is none
  std::string record = {};  // nfbus_host.record; likewise
  std::string news = {};    // the key of first_seen that it tells of; empty: none
  std::int64_t time_ns = 0;

  [[nodiscard]] std::size_t size_bytes() const noexcept {
    return sizeof(Telling) + title.size() + message.size() + topic.size() + copy.size() + record.size() + news.size();
  }
};

// Holds one within a budget, or none. Movable.
class KeptTelling {
 public:
  KeptTelling() = default;
  // Of which nothing but the time is kept when the budget is used up.
  KeptTelling(Telling telling, std::shared_ptr<CopyBudget> budget);
  KeptTelling(KeptTelling&& other) noexcept : telling_(std::move(other.telling_)), budget_(std::move(other.budget_)) {}
  KeptTelling& operator=(KeptTelling&& other) noexcept {
    std::swap(telling_, other.telling_);
    std::swap(budget_, other.budget_);
    return *this;
  }
  KeptTelling(const KeptTelling&) = delete;
  KeptTelling& operator=(const KeptTelling&) = delete;
  ~KeptTelling();

  // Null: none.
  [[nodiscard]] const Telling* get() const noexcept { return telling_.get(); }

 private:
  std::unique_ptr<Telling> telling_;
  std::shared_ptr<CopyBudget> budget_;
};

// The windows of a rule's groups, each of which lasts a cooldown. Thread safety: none.
class Windows {
 public:
  Windows(std::uint32_t cooldown_s, std::shared_ptr<CopyBudget> budget) noexcept
      : cooldown_ns_(std::int64_t{cooldown_s} * 1'000'000'000),
        budget_(std::move(budget)),
        open_(std::make_unique<Open>(kMostGroups)) {}

  struct Window {
    std::int64_t begin_ns = 0;
    std::uint64_t repeats = 0;
    KeptTelling newest = {};  // of the repeats
    std::int64_t newest_ns = 0;
  };

  // Null: the group's window is not open.
  [[nodiscard]] Window* find(std::string_view group) noexcept { return open_->find(group); }
  // Opens the group's. Returns how many repeats of another group are given up for it, as there are too many.
  std::uint64_t open(std::string_view group, std::int64_t now_ns);
  // Counts a repeat. True: note() what is told of it; of many at once only of some.
  [[nodiscard]] static bool repeat(Window& window, std::int64_t now_ns) noexcept;
  void note(Window& window, Telling telling) const { window.newest = KeptTelling(std::move(telling), budget_); }
  // visit(Window&) for each that is at its end with repeats, of which it has to tell, and which goes on; the others
  // close.
  template <typename Visit>
  void end_due(std::int64_t now_ns, Visit visit) {
    // They stand in the order of their beginnings.
    for (std::size_t left = open_->size(); left > 0; --left) {
      Window& window = open_->oldest();
      if (now_ns - window.begin_ns < cooldown_ns_) return;
      if (window.repeats != 0) {
        visit(window);
        window.repeats = 0;
        window.newest = {};
        window.begin_ns = now_ns;
        const std::string group(open_->oldest_key());
        (void)open_->use(group);
      } else {
        window = {};
        open_->pop_oldest();
      }
    }
  }
  // Closes all. visit(Window&) for each with repeats.
  template <typename Visit>
  void end_all(Visit visit) {
    while (open_->size() != 0) {
      Window& window = open_->oldest();
      if (window.repeats != 0) visit(window);
      window = {};
      open_->pop_oldest();
    }
  }
  // Goes on with the windows of another, of which the groups and the cooldown are the same.
  void take_over(Windows& before) noexcept { std::swap(open_, before.open_); }
  void clock_jumped(std::int64_t forward_ns);

 private:
  static constexpr std::size_t kMostGroups = 4096;
  const std::int64_t cooldown_ns_;
  const std::shared_ptr<CopyBudget> budget_;
  using Open = nfbus::LruMap<std::string, Window>;
  std::unique_ptr<Open> open_;  // never null
};

// So many notifications an hour. Thread safety: none.
class HourLimit {
 public:
  // most: 0: any number.
  explicit HourLimit(std::uint32_t most) noexcept : most_(most) {}

  [[nodiscard]] bool has_room(std::int64_t now_ns) noexcept;
  // One more was told, where there was room.
  void count_told() noexcept { ++told_; }
  // So many events were held back.
  void hold(std::int64_t now_ns, std::uint64_t events = 1) noexcept;
  // How many events were held back, once at the end of what they were held back for; 0: none, or it lasts.
  [[nodiscard]] std::uint64_t take_held(std::int64_t now_ns) noexcept;
  // The same at once, whether it lasts or not.
  [[nodiscard]] std::uint64_t take_all_held() noexcept { return std::exchange(held_, 0); }
  // Goes on with what another one counted.
  void take_over(HourLimit& before) noexcept {
    begin_ns_ = before.begin_ns_;
    told_ = before.told_;
    held_ = std::exchange(before.held_, 0);
  }
  void clock_jumped(std::int64_t forward_ns) noexcept;
  // What was held back last was so for so long.
  [[nodiscard]] std::uint32_t window_s() const noexcept { return most_ == 0 ? kSecondWindow_s : kHour_s; }

 private:
  static constexpr std::uint32_t kHour_s = 3600;
  static constexpr std::uint32_t kSecondWindow_s = 10;  // of what is too much for a second

  [[nodiscard]] bool is_over(std::int64_t now_ns) const noexcept {
    return now_ns - begin_ns_ >= std::int64_t{window_s()} * 1'000'000'000;
  }

  const std::uint32_t most_;
  std::int64_t begin_ns_ = 0;  // of the hour
  std::uint64_t told_ = 0;
  std::uint64_t held_ = 0;
};

// So many notifications a second, and of what was too much how many events they were. Thread safety: none.
class FloodLimit {
 public:
  explicit FloodLimit(std::uint32_t most) noexcept : second_(most) {}
  [[nodiscard]] bool may_tell(std::int64_t now_ns) noexcept { return second_.may_tell(now_ns); }
  void hold(std::int64_t now_ns, std::uint64_t events = 1) noexcept { held_.hold(now_ns, events); }
  [[nodiscard]] std::uint64_t take_held(std::int64_t now_ns) noexcept { return held_.take_held(now_ns); }
  [[nodiscard]] std::uint64_t take_all_held() noexcept { return held_.take_all_held(); }
  void take_over(FloodLimit& before) noexcept {
    second_ = before.second_;
    held_.take_over(before.held_);
  }
  void clock_jumped(std::int64_t forward_ns) noexcept { held_.clock_jumped(forward_ns); }
  [[nodiscard]] std::uint32_t window_s() const noexcept { return held_.window_s(); }

 private:
  SecondLimit second_;
  HourLimit held_{0};
};

// Says for the bus and the page how many events such a rule held back. title: what the user knows the rule by.
[[nodiscard]] Notification held_note(Shape shape, const std::string& title, const std::string& severity,
                                     std::uint64_t events, std::uint32_t window_s, std::int64_t now_ns);

// "7 events were held back in the last hour"
[[nodiscard]] std::string held_text(std::uint64_t events, std::uint32_t window_s);

}  // namespace rules
