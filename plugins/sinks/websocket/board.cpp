#include "board.hpp"

#include "json_text.hpp"

#include "../../lib/clock.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::string_view kStatusTopic = "nfbus:status";
constexpr std::size_t kMostNotes = 1000;
constexpr std::uint32_t kMostRows = 100;  // of one frame
constexpr std::chrono::milliseconds kFrameEvery{90};
constexpr std::chrono::milliseconds kCostWindow{250};
constexpr std::chrono::milliseconds kMostCost{100};  // of all matches of clients in such a window
constexpr std::chrono::microseconds kCostly{5};      // of one test: most take a tenth of one
constexpr std::uint64_t kLeastTests = 8;
constexpr std::int64_t kSecond = 1'000'000'000;

// Of events and of notifications: a page that stays open knows them by their numbers, and so does its address, so that
// a number means no other one in the next process. No host takes a million events a second for as long as it runs, and
// the number stays below 2^53, as JSON's do.
std::uint64_t first_number() { return static_cast<std::uint64_t>(output::clock_ns(CLOCK_REALTIME)) / 1000; }

using Quote = void (&)(std::string& out, std::string_view bytes);

// What SPR's clients read. quote: append_json_as_text() where the data is JSON that the host rendered, append_quoted()
// where it may be any bytes.
Text make_frame(std::string_view type, std::string_view data, Quote quote, bool is_notification) {
  std::string out = R"({"Type":)";
  append_quoted(out, type);
  out += R"(,"Data":)";
  quote(out, data);
  out +=
      is_notification ? R"(,"Notification":true,"WildcardAll":false})" : R"(,"Notification":false,"WildcardAll":true})";
  return make_text(std::move(out));
}

std::string note_json(const rules::Notification& notification, std::uint64_t id) {
  std::string out = R"({"id":)";
  append_number(out, id);
  out += R"(,"t":)";
  append_ms(out, notification.time_ns);
  for (const auto& [name, text] : {std::pair("severity", &notification.severity), std::pair("rule", &notification.rule),
                                   std::pair("title", &notification.title), std::pair("message", &notification.message),
                                   std::pair("topic", &notification.topic)}) {
    out += ",\"";
    out += name;
    out += "\":";
    append_quoted(out, *text);
  }
  out += R"(,"count":)";
  append_number(out, notification.count);
  out += R"(,"window_s":)";
  append_number(out, notification.window_s);
  out += '}';
  return out;
}

}  // namespace

Board::Board(nfbus::Host host, const Settings& settings)
    : host_(host),
      packet_(host.format("packet")),
      ulogd_(host.format("ulogd")),
      notified_counter_(host.counter("notified")),
      refused_counter_(host.counter("refused_on_bus")),
      devices_(host, settings.names),
      rows_(host, devices_),
      history_(settings.history_events, settings.history_bytes, first_number()),
      rules_(host, {.file = settings.notifications,
                    .state_file = settings.state_file,
                    .name_of = [this](std::string_view text) { return std::string(devices_.names().of(text)); }}),
      next_note_(first_number()) {}

void Board::open() {
  if (const auto claimed = rules_.claim(); !claimed) throw std::runtime_error(nfbus::to_string(claimed.error()));
  devices_.names().refresh();
  rules_.load();
}

void Board::tell_what_is_held() {
  told_.clear();
  rules_.finish(told_);
  for (const rules::Notification& notification : told_) notify(notification, nullptr);
}

std::int64_t Board::now_s() { return output::clock_ns(CLOCK_MONOTONIC) / kSecond; }

void Board::keep(nfbus::Event event) {
  history_.add(event.time_ns(), host_.record(event));
  statistics_.add(event, now_s());
  if (event.is_packet()) devices_.see(event);
}

void Board::take(nfbus::Event event) {
  if (event.is_message() && event.topic() == kStatusTopic) return take_status(event.text());
  keep(event);
  told_.clear();
  rules_.judge(event, told_);
  Made made;
  made.is_notified = rules_.wants_everything() && is_known_to_them(event);
  for (const auto& [id, view] : views_) show(*view, event, made);
  for (const rules::Notification& notification : told_) notify(notification, &event);
}

void Board::take_status(std::string_view text) {
  const json status = json::parse(text, nullptr, false);
  if (!status.is_object()) return;
  if (const auto sinks = status.find("sinks"); sinks != status.end() && sinks->is_array()) {
    for (const json& row : *sinks) {
      if (row.is_object() && row.value("name", "") == host_.instance_name()) note_own_losses(row);
    }
  }
  if (const auto captures = status.find("capture"); captures != status.end() && captures->is_array()) {
    lost_ = 0;
    for (const json& row : *captures) {
      if (row.is_object()) lost_ += row.value("lost", std::uint64_t{0});
    }
  }
  tell_pages(make_text(R"({"status":)" + std::string(text) + '}'));
}

// Events that were published and did not come here are as much lost to the page as those that the kernel dropped.
void Board::note_own_losses(const json& row) {
  std::uint64_t lost = 0;
  for (const char* const reason : {"overflowed", "rejected", "corrupted"}) lost += row.value(reason, std::uint64_t{0});
  if (lost <= own_lost_) return;
  const OwnLoss loss{history_.end(), output::clock_ns(CLOCK_REALTIME), lost - own_lost_};
  own_lost_ = lost;
  history_.add(loss.time_ns, {});
  own_losses_.push_back(loss);
  while (!own_losses_.empty() && own_losses_.front().number < history_.oldest()) own_losses_.pop_front();
  std::string text;
  append_row(text, loss);
  for (const auto& [id, view] : views_) {
    if (view->settings.feed == Feed::page && view->settings.wants_rows && !view->is_too_costly)
      add_row(*view, text, true);
  }
}

void append_row(std::string& out, const OwnLoss& loss) {
  out += R"({"id":)";
  append_number(out, loss.number);
  out += R"(,"t":)";
  append_ms(out, loss.time_ns);
  out += R"(,"k":"l","lost":)";
  append_number(out, loss.lost);
  out += '}';
}

const OwnLoss* Board::own_loss(std::uint64_t number) const {
  const auto found = std::ranges::lower_bound(own_losses_, number, {}, &OwnLoss::number);
  return found == own_losses_.end() || found->number != number ? nullptr : &*found;
}

const Text& Board::frame_of(nfbus::Event event, TextFormat format, Made& made) const {
  Text& frame = made.frames[static_cast<std::size_t>(format)];
  if (!frame) {
    frame = event.is_packet() ? make_frame(event.topic(), render(event, format), append_json_as_text, false)
                              : make_frame(event.topic(), event.text(), append_quoted, false);
  }
  return frame;
}

void Board::show(View& view, nfbus::Event event, Made& made) {
  const ViewSettings& settings = view.settings;
  if (settings.feed == Feed::notifications && (made.is_notified || !rules_.wants_everything())) return;
  const bool is_loss = settings.feed == Feed::page && event.is_message() && event.topic() == kLossTopic;
  if (view.is_too_costly || (!is_loss && settings.match && !holds(view, event))) return;
  if (settings.feed != Feed::page) return add(view, frame_of(event, settings.format, made));
  ++view.matched;
  view.has_news = true;
  touch(view);
  if (!settings.wants_rows) return;
  if (made.row.empty() && (is_loss || view.row_count < kMostRows)) {
    rows_.append_json(made.row, history_.end() - 1, event);
  }
  add_row(view, made.row, is_loss);
}

// A frame has the first rows of its time; losses are in plain sight even where there are too many.
void Board::add_row(View& view, std::string_view row, bool is_loss) {
  if (is_loss && view.row_count == kMostRows) flush(view, Clock::now());
  view.newest = history_.end() - 1;
  view.has_news = true;
  touch(view);
  if (view.row_count == kMostRows) {
    ++view.skipped;
    return;
  }
  if (view.row_count++ != 0) view.rows += ',';
  view.rows += row;
}

bool Board::holds(View& view, nfbus::Event event) {
  const Clock::time_point begin = Clock::now();
  if (begin - cost_begin_ > kCostWindow) {
    for (const auto& [id, other] : views_) other->cost.forget();
    cost_ = {};
    cost_begin_ = begin;
  }
  bool out = false;
  cost_ += view.cost.measure(begin, [&] { out = (*view.settings.match)(event); });
  if (cost_ > kMostCost) end_costliest();
  return out;
}

void Board::end_costliest() {
  View* costliest = nullptr;
  for (const auto& [id, view] : views_) {
    if (costliest == nullptr || view->cost.spent() > costliest->cost.spent()) costliest = view.get();
  }
  cost_ -= costliest->cost.spent();
  // A flood of events, or many matches that cost little each, are what this sink is for.
  const std::uint64_t tests = costliest->cost.tests();
  if (tests < kLeastTests || costliest->cost.spent() / tests < kCostly) return;
  costliest->cost.forget();
  costliest->is_too_costly = true;
  too_costly_.push_back(costliest->id);
}

// As at SPR, where the rule that wants everything sends no event twice.
bool Board::is_known_to_them(nfbus::Event event) const {
  if (event.is_packet()) {
    return std::ranges::any_of(told_, [](const rules::Notification& told) {
      return told.shape == rules::Shape::notifications && told.is_for_clients;
    });
  }
  return event.topic().starts_with("alert:");
}

void Board::notify(const rules::Notification& notification, const nfbus::Event* event) {
  ++notified_;
  notified_counter_.add();
  if (!host_.publish(notification.bus_topic, notification.bus_text)) refused_counter_.add();
  std::string note = note_json(notification, next_note_++);
  tell_pages(make_text(R"({"note":)" + note + '}'));
  notes_.push_back(std::move(note));
  if (notes_.size() > kMostNotes) notes_.pop_front();
  if (!notification.is_for_clients) return;
  Text frame;
  for (const auto& [id, view] : views_) {
    if (view->settings.feed != Feed::notifications) continue;
    if (!is_seen(*view, notification, event)) continue;
    // A message's copy in it may have line ends between its values.
    if (!frame) frame = make_frame(notification.frame_type, notification.frame_data, append_quoted, true);
    add(*view, frame);
  }
}

bool Board::is_seen(const View& view, const rules::Notification& notification, const nfbus::Event* event) const {
  if (!view.settings.match) return true;
  if (event != nullptr) return (*view.settings.match)(*event);
  if (notification.record.empty()) return false;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(notification.record.data());
  return (*view.settings.match)(host_.event_of({bytes, notification.record.size()}).event());
}

void Board::touch(View& view) {
  if (std::exchange(view.is_touched, true)) return;
  touched_.push_back(&view);
}

void Board::add(View& view, Text text) {
  touch(view);
  view.texts.push_back(std::move(text));
}

void Board::tell_pages(const Text& text) {
  for (const auto& [id, view] : views_) {
    if (view->settings.feed == Feed::page) add(*view, text);
  }
}

void Board::tell(ViewId id, Text text) {
  if (const auto found = views_.find(id); found != views_.end()) add(*found->second, std::move(text));
}

void Board::set_view(ViewId id, ViewSettings settings) {
  std::unique_ptr<View>& view = views_[id];
  if (!view) view = std::make_unique<View>(View{.id = id});
  if (view->settings.match != settings.match) view->matched = 0;
  view->settings = std::move(settings);
  view->rows.clear();
  view->row_count = view->skipped = 0;
  view->newest = 0;
}

std::uint64_t Board::matched(ViewId id) const {
  const auto found = views_.find(id);
  return found == views_.end() ? 0 : found->second->matched;
}

void Board::drop_view(ViewId id) {
  const auto found = views_.find(id);
  if (found == views_.end()) return;
  std::erase(touched_, found->second.get());
  views_.erase(found);
}

void Board::flush(View& view, Clock::time_point now) {
  view.last_frame = now;
  view.has_news = false;
  std::string out = R"({"rows":[)";
  out += view.rows;
  out += R"(],"matched":)";
  append_number(out, view.matched);
  out += R"(,"skipped":)";
  append_number(out, view.skipped);
  if (view.newest != 0) {
    out += R"(,"newest":)";
    append_number(out, view.newest);
  }
  out += '}';
  view.rows.clear();
  view.row_count = view.skipped = 0;
  view.newest = 0;
  view.texts.push_back(make_text(std::move(out)));
}

Parcel Board::take_parcel() {
  Parcel out;
  const Clock::time_point now = Clock::now();
  std::vector<View*> later;
  for (View* const view : touched_) {
    const bool is_early = view->has_news && now - view->last_frame < kFrameEvery;
    if (view->has_news && !is_early) flush(*view, now);
    if (!view->texts.empty()) out.texts.emplace_back(view->id, std::exchange(view->texts, {}));
    view->is_touched = is_early;
    if (is_early) later.push_back(view);
  }
  touched_ = std::move(later);
  out.too_costly = std::exchange(too_costly_, {});
  return out;
}

std::string Board::stats_json(std::size_t clients) {
  std::string out = R"({"stats":{"t":)";
  append_ms(out, output::clock_ns(CLOCK_REALTIME));
  out += ',';
  statistics_.append_totals(out, now_s(), [this](auto address) { return devices_.name_of(address); });
  out += R"(,"lost":)";
  append_number(out, lost_ + own_lost_);
  out += R"(,"history":{"events":)";
  append_number(out, history_.size());
  out += R"(,"bytes":)";
  append_number(out, history_.size_bytes());
  out += R"(,"oldest_ms":)";
  append_ms(out, history_.oldest_ns());
  out += R"(},"clients":)";
  append_number(out, clients);
  out += R"(,"notified":)";
  append_number(out, notified_);
  out += R"(,"held_back":)";
  append_number(out, rules_.held_back());
  out += "}}";
  return out;
}

void Board::tick(std::size_t clients) {
  told_.clear();
  rules_.tick(output::clock_ns(CLOCK_REALTIME), told_);
  for (const rules::Notification& notification : told_) notify(notification, nullptr);
  const std::int64_t second = now_s();
  if (second == last_second_) return;
  last_second_ = second;
  devices_.names().refresh();
  tell_pages(make_text(stats_json(clients)));
}

std::string Board::notifications_json(std::size_t most) const {
  std::string out = R"({"notifications":[)";
  std::size_t count = 0;
  for (auto note = notes_.rbegin(); note != notes_.rend() && count < most; ++note, ++count) {
    if (count != 0) out += ',';
    out += *note;
  }
  out += R"(],"rules":)";
  out += rules_.overview();
  out += R"(,"file_error":)";
  append_quoted(out, rules_.file_error());
  out += '}';
  return out;
}

}  // namespace websocket
