// What the sink's worker owns: the kept events, the statistics, the rules, and what each client is to be sent.
#pragma once

#include "devices.hpp"
#include "history.hpp"
#include "match_cost.hpp"
#include "row.hpp"
#include "rules/rule_book.hpp"
#include "settings.hpp"
#include "statistics.hpp"
#include "view.hpp"

#include <nfbus/host.hpp>

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace websocket {

// Events that were published and did not come to this sink, with a number of its own among the kept ones.
struct OwnLoss {
  std::uint64_t number = 0;
  std::int64_t time_ns = 0;
  std::uint64_t lost = 0;
};
// As Rows::append_json() does it of an event.
void append_row(std::string& out, const OwnLoss& loss);

// Thread safety: none; the constructor and open() are [control], the rest is [worker].
class Board {
 public:
  using Clock = std::chrono::steady_clock;

  Board(nfbus::Host host, const Settings& settings);
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;
  ~Board() = default;

  // Throws std::runtime_error: another sink has the state file.
  void open();
  void take(nfbus::Event event);
  // About each 100 ms. clients: how many there are.
  void tick(std::size_t clients);
  // Roll-ups whose time is not over, and what was held back: before the end.
  void tell_what_is_held();
  // What waits to be sent by now.
  [[nodiscard]] Parcel take_parcel();

  void set_view(ViewId id, ViewSettings settings);
  void drop_view(ViewId id);
  // One text to one view.
  void tell(ViewId id, Text text);

  [[nodiscard]] nfbus::Host host() const noexcept { return host_; }
  [[nodiscard]] const History& history() const noexcept { return history_; }
  [[nodiscard]] Statistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] rules::RuleBook& rules() noexcept { return rules_; }
  [[nodiscard]] Rows& rows() noexcept { return rows_; }
  [[nodiscard]] Devices& devices() noexcept { return devices_; }
  [[nodiscard]] std::string_view render(nfbus::Event event, TextFormat format) const {
    return event.json(format == TextFormat::packet ? packet_ : ulogd_);
  }
  // Events for which the view's match held, since it was set.
  [[nodiscard]] std::uint64_t matched(ViewId id) const;
  // Null: none has this number.
  [[nodiscard]] const OwnLoss* own_loss(std::uint64_t number) const;
  // {"notifications":[...],"rules":[...]}, the newest first.
  [[nodiscard]] std::string notifications_json(std::size_t most) const;
  [[nodiscard]] static std::int64_t now_s();

 private:
  struct View {
    ViewId id = 0;
    ViewSettings settings = {};
    std::vector<Text> texts = {};
    bool is_touched = false;     // it is in touched_
    bool is_too_costly = false;  // it sees nothing any more
    MatchCost<Clock> cost = {};  // of its match, since cost_begin_
    // Of a page, since its last frame and since its match was set.
    bool has_news = false;
    std::string rows = {};
    std::uint32_t row_count = 0;
    std::uint32_t skipped = 0;
    std::uint64_t newest = 0;  // event, of the rows and of what was skipped
    std::uint64_t matched = 0;
    Clock::time_point last_frame{};
  };
  // Of the event that is being taken, each made when it is first asked for.
  struct Made {
    std::array<Text, 3> frames{};  // by TextFormat
    std::string row = {};
    bool is_notified = false;  // clients of notifications get it as one, or it tells of one
  };

  void keep(nfbus::Event event);
  // row: of the newest number in the history.
  void add_row(View& view, std::string_view row, bool is_loss);
  void show(View& view, nfbus::Event event, Made& made);
  // Whether the view's match holds; measured, so that a match that takes long costs its own client alone.
  [[nodiscard]] bool holds(View& view, nfbus::Event event);
  void end_costliest();
  [[nodiscard]] const Text& frame_of(nfbus::Event event, TextFormat format, Made& made) const;
  // Whether clients of notifications know it: by a frame that it is in itself, or as what was published of one.
  [[nodiscard]] bool is_known_to_them(nfbus::Event event) const;
  // event: that it tells of; null: one that was before, or none alone.
  void notify(const rules::Notification& notification, const nfbus::Event* event);
  [[nodiscard]] bool is_seen(const View& view, const rules::Notification& notification,
                             const nfbus::Event* event) const;
  void touch(View& view);
  void add(View& view, Text text);
  static void flush(View& view, Clock::time_point now);
  void tell_pages(const Text& text);
  [[nodiscard]] std::string stats_json(std::size_t clients);
  void take_status(std::string_view text);
  // row: of this sink in the status.
  void note_own_losses(const nlohmann::json& row);

  const nfbus::Host host_;
  const nfbus::Format packet_;
  const nfbus::Format ulogd_;
  const nfbus::Counter notified_counter_;
  const nfbus::Counter refused_counter_;
  Devices devices_;
  Rows rows_;
  History history_;
  Statistics statistics_;
  rules::RuleBook rules_;
  std::map<ViewId, std::unique_ptr<View>> views_;
  std::vector<View*> touched_;
  std::vector<ViewId> too_costly_;
  Clock::time_point cost_begin_{};
  Clock::duration cost_{};                 // of all matches since then
  std::vector<rules::Notification> told_;  // reused
  std::deque<std::string> notes_;          // as JSON, the oldest first
  std::uint64_t next_note_;
  std::uint64_t notified_ = 0;
  std::uint64_t lost_ = 0;          // by the kernel, as nfbus:status has it
  std::uint64_t own_lost_ = 0;      // by this sink's queue, likewise
  std::deque<OwnLoss> own_losses_;  // of which the numbers are kept
  std::int64_t last_second_ = 0;
};

}  // namespace websocket
