#include "client.hpp"

#include "../../../lib/utf8.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <utility>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kTimeForToken{10};
// Over a slow line, too: one of SPR's programs that gets an event before its answer gives up.
constexpr std::chrono::seconds kTimeForFirstFrame{1};
// Behind a token that is not answered yet.
constexpr std::size_t kMostEarlyFrames = 16;
constexpr std::size_t kMostEarlyBytes = 65536;
constexpr std::size_t kHeldPart = 4;  // a quarter of what may wait for a client is held for that time
constexpr std::string_view kSuccess = "success";
constexpr std::uint16_t kGoingAway = 1001;        // RFC 6455, section 7.4.1
constexpr std::uint16_t kPolicyViolation = 1008;  // likewise
constexpr std::uint16_t kTryAgainLater = 1013;    // of its registry

bool is_object(std::string_view text) {
  text = output::without_mark(text);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

// What a client may say of itself; empty: all of it is known.
std::string unknown_key_of(const json& wishes, bool is_page) {
  for (const auto& entry : wishes.items()) {
    const std::string& key = entry.key();
    const bool is_of_all = key == "match" || key == "format" || key == "answer" || key == "serial";
    if (!is_of_all && (!is_page || (key != "mode" && key != "since"))) return key;
  }
  return {};
}

std::string dumped(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Text own_frame(std::string_view type, const json& data) {
  return make_text(dumped({{"Type", type}, {"Data", dumped(data)}, {"Notification", false}, {"WildcardAll", false}}));
}

}  // namespace

void Client::begun(Channel& channel) {
  channel_ = &channel;
  if (state_ == State::leaves) return write_next();
  const std::weak_ptr<Client> weak = weak_from_this();
  if (entry_ == Entry::by_frame) {
    state_ = State::waits_for_token;
    owner_.after(kTimeForToken, [weak] {
      const auto self = weak.lock();
      if (self && self->waits_for_token() && !self->has_spoken_) self->leave(kPolicyViolation, "no token in 10 s");
    });
    return;
  }
  is_held_ = entry_ == Entry::open && settings_.feed != Feed::page;
  join();
  if (!is_held_) return;
  owner_.after(kTimeForFirstFrame, [weak] {
    const auto self = weak.lock();
    if (self && std::exchange(self->is_held_, false)) self->write_next();
  });
}

void Client::join() {
  state_ = State::is_in;
  owner_.sees(*this, settings_, nullptr);
}

void Client::received(std::string_view text) {
  if (state_ == State::leaves) return;
  const bool is_first = !std::exchange(has_spoken_, true);
  if (state_ == State::waits_for_token) {
    if (!is_first) return keep_early(text);
    return owner_.authenticate(shared_from_this(), text);
  }
  if (is_object(text)) {
    take_wishes(text);
    is_held_ = false;
    write_next();
  } else if (is_first) {
    owner_.authenticate(shared_from_this(), text);  // as SPR's programs send it, whatever this server needs
  } else {
    leave(kPolicyViolation, "a client sends a JSON object");
  }
}

// A client need not wait for the answer to its token before it says what it wants.
void Client::keep_early(std::string_view text) {
  early_bytes_ += text.size();
  if (early_.size() == kMostEarlyFrames || early_bytes_ > kMostEarlyBytes) {
    return leave(kPolicyViolation, "too much before the answer to the token");
  }
  early_.emplace_back(text);
}

void Client::authenticated(bool is_right) {
  if (channel_ == nullptr || state_ == State::leaves) return;
  is_held_ = false;
  if (!is_right) {
    forget_queue();
    queue(make_text("Authentication failure"));
    return leave(kPolicyViolation, "Authentication failure");
  }
  count_waiting(static_cast<std::int64_t>(kSuccess.size()));
  queue_.push_front(make_text(std::string(kSuccess)));
  if (state_ == State::waits_for_token) join();
  write_next();
  for (const std::string& text : std::exchange(early_, {})) received(text);
}

void Client::take_wishes(std::string_view text) {
  const json wishes =
      nfbus::util::is_nested_deeper(text) ? json(json::value_t::discarded) : json::parse(text, nullptr, false);
  const auto refuse = [&](const std::string& why) { send(answer(wishes, why)); };
  if (!wishes.is_object()) return refuse("this is no JSON object, or one that is nested too deep");
  if (const std::string key = unknown_key_of(wishes, settings_.feed == Feed::page); !key.empty()) {
    return refuse(key + ": unknown key; a client sends match, format, answer and serial");
  }
  ViewSettings settings = settings_;
  if (const auto format = wishes.find("format"); format != wishes.end()) {
    if (*format != "packet" && *format != "ulogd") return refuse(R"(format: it is "packet" or "ulogd")");
    settings.format = *format == "packet" ? TextFormat::packet : TextFormat::ulogd;
  }
  if (const auto mode = wishes.find("mode"); mode != wishes.end()) {
    if (*mode != "live" && *mode != "counters") return refuse(R"(mode: it is "live" or "counters")");
    settings.wants_rows = *mode == "live";
  }
  const auto match = wishes.find("match");
  if (match != wishes.end()) {
    nfbus::Result<SharedMatch> compiled = owner_.compile(*match);
    if (!compiled) return refuse(compiled.error().text);
    settings.match = std::move(*compiled);
  }
  const bool is_asked = settings.feed == Feed::page ? match != wishes.end() : wishes.value("answer", json()) == true;
  settings_ = settings;
  const bool is_question_alone = wishes.contains("since") && wishes.size() == 1;
  if (!is_question_alone) owner_.sees(*this, settings_, is_asked ? answer(wishes, {}) : nullptr);
  if (const auto since = wishes.find("since"); since != wishes.end() && since->is_number_unsigned()) {
    owner_.missed_since(*this, settings_, since->get<std::uint64_t>());
  }
}

Text Client::answer(const json& wishes, const std::string& wrong) const {
  json said = wrong.empty() ? json{{"ok", true}} : json{{"error", wrong}};
  if (wishes.is_object() && wishes.contains("serial")) said["serial"] = wishes["serial"];
  if (settings_.feed == Feed::page) return make_text(dumped({{"filter", std::move(said)}}));
  return own_frame(wrong.empty() ? "nfbus:answer" : "nfbus:error", said);
}

void Client::send(Text text) {
  if (state_ == State::leaves || channel_ == nullptr) return;
  // So much comes in less than the time for a first frame: that is not the client's slowness.
  if (is_held_ && !owner_.may_wait(kHeldPart * (queued_bytes_ + text->size()))) {
    is_held_ = false;
    write_next();
  }
  const bool waits = is_writing_ || is_held_ || !queue_.empty();
  if (!waits || owner_.may_wait(queued_bytes_ + text->size())) return queue(std::move(text));
  const std::uint64_t dropped = queue_.size() + 1;
  forget_queue();
  owner_.was_slow(dropped);
  queue(settings_.feed == Feed::page ? make_text(dumped({{"missed", dropped}}))
                                     : own_frame("nfbus:dropped", {{"missed", dropped}}));
  leave(kTryAgainLater, "too slow");
}

void Client::count_waiting(std::int64_t bytes) {
  queued_bytes_ += static_cast<std::size_t>(bytes);
  owner_.waiting_changed(bytes);
}

void Client::forget_queue() {
  queue_.clear();
  count_waiting(-static_cast<std::int64_t>(queued_bytes_));
}

void Client::queue(Text text) {
  count_waiting(static_cast<std::int64_t>(text->size()));
  queue_.push_back(std::move(text));
  write_next();
}

void Client::write_next() {
  if (channel_ == nullptr || is_writing_ || is_held_) return;
  if (queue_.empty()) {
    if (state_ == State::leaves) channel_->close(close_code_, close_reason_);
    return;
  }
  Text next = std::move(queue_.front());
  queue_.pop_front();
  count_waiting(-static_cast<std::int64_t>(next->size()));
  is_writing_ = true;
  channel_->write(std::move(next));
}

void Client::written() {
  is_writing_ = false;
  write_next();
}

void Client::shut_out(std::string_view reason) {
  forget_queue();
  leave(kPolicyViolation, reason);
}

void Client::stopping() { leave(kGoingAway, "nfbus stops"); }

void Client::leave(std::uint16_t code, std::string_view reason) {
  if (state_ == State::leaves) return;
  state_ = State::leaves;
  is_held_ = false;
  early_.clear();
  close_code_ = code;
  close_reason_ = reason;
  owner_.left(*this);
  write_next();
}

void Client::ended() {
  channel_ = nullptr;
  forget_queue();
  if (std::exchange(state_, State::leaves) != State::leaves) owner_.left(*this);
}

}  // namespace websocket
