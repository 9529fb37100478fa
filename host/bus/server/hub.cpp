#include "bus/server/hub.hpp"

#include "support/log.hpp"

#include <nfbus/util/json_levels.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace nfbus::host {

namespace {

// Of batches that wait to be made into lines.
constexpr std::size_t kInboxBytes = 16UL << 20U;
constexpr std::string_view kOwnTopics = "nfbus:";
constexpr std::string_view kStatusTopic = "nfbus:status";
constexpr std::string_view kAnswerTopic = "nfbus:answer";
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";  // RFC 9113, section 3.4

// What waits for one client when gathering more gains nothing: a good part of what its socket takes at once.
constexpr std::size_t kMuchBytes = 64UL << 10U;

// A match is compiled on the server's thread, and a tcpdump expression may be long in the making.
constexpr std::size_t kMostMatchBytes = 4096;
constexpr std::size_t kMostQuotedBytes = 64;

// Subscriptions of one client. What they take in memory is bounded for all clients together; a client's first one is
// let in all the same, if it is small.
constexpr std::size_t kMostSubscriptions = 256;
constexpr std::size_t kMostPrefixBytes = 1024;
constexpr std::size_t kSubscriptionBytes = 256;  // besides the prefix, twice, and the match
constexpr std::size_t kMostSubscriptionBytes = 16UL << 20U;
constexpr std::size_t kFirstSubscriptionBytes = 8192;

// The part of the thread's time that testing matches may take, shared among the clients that have one; what a client
// did not use it keeps for later, up to a bound. Whoever asks for more misses events, which are counted.
constexpr std::int64_t kMatchShare = 4;
constexpr std::int64_t kMostMatchCredit_ns = 10'000'000;
constexpr std::int64_t kLeastMatchCredit_ns = 50'000;

// Status takes a tenth of the thread's time at most, however often it is asked for.
constexpr int kStatusPause = 9;

// A row of the status has 150 bytes at least, and a status less than 48 KiB.
constexpr std::size_t kMostShownClients = 320;

// Events between two looks at the clock.
constexpr std::size_t kEventsPerLook = 16;

// About what work costs: a line, and each client that it is for.
constexpr std::uint64_t kLineNs = 300;
constexpr std::uint64_t kReceiverNs = 20;

// What became of the test of a match.
enum class Verdict : std::uint8_t { holds = 1, fails, unpaid };

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A request line (RFC 9112, section 3), or what HTTP/2 begins with.
bool is_http(std::string_view line) {
  return line == kHttp2Preface || line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0");
}

std::string name_of(const Client& client) {
  return fmt::format("client {} (pid {}, uid {})", client.id, client.peer.pid, client.peer.uid);
}

void add(ReceivedCounters& sum, const ReceivedCounters& more) {
  sum.received += more.received;
  sum.relayed += more.relayed;
  sum.subscribed += more.subscribed;
  sum.invalid += more.invalid;
  sum.not_text += more.not_text;
  sum.refused += more.refused;
}

void add(HubCounters& sum, const Client& client) {
  const LineCounters lines = client.queue.counters();
  add(sum.received, client.received);
  sum.published += lines.pushed + client.filtered;
  sum.delivered += lines.delivered;
  sum.filtered += client.filtered;
  sum.overflowed += lines.overflowed;
  sum.queued += lines.queued;
}

}  // namespace

Hub::Hub(Bus& bus, const FormatSet& formats, HubSettings settings, std::function<std::string()> status)
    : bus_(bus),
      formats_(formats),
      settings_(std::move(settings)),
      status_(std::move(status)),
      inbox_(std::make_shared<Inbox>(kInboxBytes)),
      maker_(formats, store_) {
  bus_.add(inbox_);
}

Hub::~Hub() {
  inbox_->close();
  bus_.remove(inbox_);
}

void Hub::join(Client& client) { clients_.push_back(&client); }

// A client's share of the time, in ns a ns, is 1 / (kMatchShare * matching clients).
bool Hub::pay_for_match(Client& client, std::uint64_t cost_ns) const {
  const auto cost = static_cast<std::int64_t>(std::min<std::uint64_t>(cost_ns, 2 * kMostMatchCredit_ns));
  if (client.match_credit_ns < cost) {
    const auto sharers = static_cast<std::int64_t>(std::max<std::size_t>(matching_clients_, 1));
    const auto now = Clock::now();
    const std::int64_t elapsed_ns = std::chrono::nanoseconds(now - std::exchange(client.match_credit_at, now)).count();
    const std::int64_t most = std::max(kLeastMatchCredit_ns, kMostMatchCredit_ns / sharers);
    client.match_credit_ns = std::min(most, client.match_credit_ns + elapsed_ns / (kMatchShare * sharers));
    if (client.match_credit_ns < cost) return false;
  }
  client.match_credit_ns -= cost;
  return true;
}

void Hub::leave(Client& client) {
  add(gone_, client);
  const std::uint64_t queued = client.queue.counters().queued;
  gone_.queued -= queued;
  gone_.left += queued;
  std::erase(clients_, &client);
  std::erase(status_clients_, &client);
  std::erase(new_status_clients_, &client);
  std::erase(ready_, &client);
  std::erase(resumed_, &client);
  waiting_.erase(client.id);
  sizes_.remove(client);
  going_bytes_ -= client.going_bytes;
  if (client.has_match) --matching_clients_;
  subscription_bytes_ -= client.subscription_bytes;
  for (const std::string& unused : routes_.remove(client)) inbox_->remove_prefix(unused);
}

bool Hub::receive(Client& client, std::string_view line) {
  ++client.received.received;
  work_ns_ += kLineNs + line.size();
  if (line.ends_with('\r')) line.remove_suffix(1);
  const WireLine read = scanner_.scan(line);
  if (read.kind == WireLine::Kind::broken && client.received.received == 1 && is_http(line)) {
    ++client.received.invalid;
    say_foreign(client, line);
    return false;
  }
  const std::string mistake = take(client, line, read);
  if (read.wants_answer && !client.waits_for_match) answer(client, mistake);
  return true;
}

std::string Hub::take(Client& client, std::string_view line, const WireLine& read) {
  const bool asks_for_status = read.kind == WireLine::Kind::subscribe && read.topic == kStatusTopic;
  if (client.provisional && (!asks_for_status || read.asks_for_more())) {
    return refuse(client, "too many clients are connected");
  }
  switch (read.kind) {
    case WireLine::Kind::publish: return publish(client, line, read);
    case WireLine::Kind::subscribe: return subscribe(client, read);
    case WireLine::Kind::ambiguous:
      return refuse(client, fmt::format("a line with more than one \"{}\"", read.repeated));
    case WireLine::Kind::wrong_value: ++client.received.not_text; return skip(client, "its value is no string");
    case WireLine::Kind::wrong_topic: ++client.received.invalid; return skip(client, "its topic is no string");
    case WireLine::Kind::broken: break;
  }
  ++client.received.invalid;
  return skip(client, "it is no JSON object");
}

void Hub::answer(Client& client, const std::string& mistake) {
  nlohmann::ordered_json answer = {{"ok", mistake.empty()}};
  if (!mistake.empty()) answer["error"] = mistake;
  push(client, maker_.message(kAnswerTopic, answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  keep_within_total();
}

std::string Hub::skip(const Client& client, std::string_view why) {
  log::repeated(log::Level::warning, "bus", why, fmt::format("{}: a line is skipped: {}", name_of(client), why));
  return fmt::format("the line is skipped: {}", why);
}

std::string Hub::refuse(Client& client, std::string why) {
  ++client.received.refused;
  log::repeated(log::Level::warning, "bus", fmt::format("{}: refused: {}", name_of(client), why));
  return why;
}

void Hub::say_foreign(const Client& client, std::string_view line) {
  const std::string_view what =
      line == kHttp2Preface ? "gRPC, as programs for the sprbus of before its JSON lines do" : "HTTP";
  log::repeated(
      log::Level::warning, "bus", what,
      fmt::format("{} is cut off: it speaks {}, and this socket takes a JSON object a line", name_of(client), what));
}

std::string Hub::reserved(std::string_view topic) const {
  const std::string& root = settings_.topic_root;
  const std::string_view quoted = topic.substr(0, kMostQuotedBytes);
  if (topic.starts_with(kOwnTopics)) {
    return fmt::format(R"(only the host publishes under "{}": "{}")", kOwnTopics, quoted);
  }
  if (!topic.starts_with(root)) return {};
  return fmt::format(
      "only the host publishes under \"{}\", the topic_root of its packets ([host] topic_root in its "
      "configuration): \"{}\"",
      root, quoted);
}

std::string Hub::publish(Client& client, std::string_view line, const WireLine& read) {
  if (std::string mistake = reserved(read.topic); !mistake.empty()) return refuse(client, std::move(mistake));
  ++client.received.relayed;
  relay(line, read.topic);
  if (!bus_.wants_message(read.topic, inbox_.get())) return {};
  text_.clear();
  decode_string(read.value, text_);
  bus_.publish(make_message(read.topic, text_, now_ns(), client.peer.uid), inbox_.get());
  return {};
}

void Hub::relay(std::string_view line, std::string_view topic) {
  const auto receivers = routes_.find(topic);
  if (receivers.empty()) return;
  nfbus_event event{};  // what a match can ask of it
  event.struct_size = sizeof event;
  event.kind = NFBUS_EVENT_MESSAGE;
  event.topic = text(topic);
  LineRef relayed;
  give_to_takers(event, receivers, [&](Client& client, FormId) {
    if (!relayed) relayed = store_.make(line);
    push(client, relayed);
  });
}

std::string Hub::subscribe(Client& client, const WireLine& read) {
  ClientSubscription subscription{.prefix = std::string(read.topic), .form = settings_.default_form, .match = nullptr};
  // Read on the side, if there is one; the views of `read` are gone by then.
  const auto read_rest = [this, format = std::string(read.format), match = std::string(read.match),
                          marker = std::string(read.marker)](ClientSubscription& made) {
    if (!marker.empty() && marker != "true" && marker != "false") return std::string("\"marker\" is not true or false");
    std::string mistake = read_format(format, made);
    return mistake.empty() ? read_match(match, made) : mistake;
  };
  const bool marker = read.marker == "true";
  if (side_ == nullptr || !read.asks_for_more()) {
    const std::string mistake = read_rest(subscription);
    return finish_subscription(client, std::move(subscription), marker, mistake);
  }
  client.waits_for_match = true;
  waiting_.emplace(client.id, &client);
  side_->run([this, id = client.id, read_rest, marker, wants_answer = read.wants_answer,
              begun = std::move(subscription)]() -> SideThread::Then {
    ClientSubscription made = begun;
    std::string mistake = read_rest(made);
    return [this, id, made = std::move(made), marker, wants_answer, mistake = std::move(mistake)] {
      const auto found = waiting_.find(id);
      if (found == waiting_.end()) return;  // it has left
      Client& asker = *found->second;
      waiting_.erase(found);
      asker.waits_for_match = false;
      resumed_.push_back(&asker);
      const std::string outcome = finish_subscription(asker, made, marker, mistake);
      if (wants_answer) answer(asker, outcome);
    };
  });
  return {};
}

std::string Hub::finish_subscription(Client& client, ClientSubscription subscription, bool marker,
                                     const std::string& mistake) {
  if (!mistake.empty()) return refuse(client, mistake);
  const bool to_status = subscription.prefix == kStatusTopic;
  const std::string shown_prefix = subscription.prefix.substr(0, kMostQuotedBytes);
  if (!to_status) {
    if (std::string why = add_subscription(client, std::move(subscription)); !why.empty()) {
      return refuse(client, std::move(why));
    }
  }
  ++client.received.subscribed;
  client.wants_marker = client.wants_marker || marker;
  // Status is asked for again and again by those who watch a host.
  log::repeated(to_status ? log::Level::debug : log::Level::info, "bus", shown_prefix,
                fmt::format("{} subscribes to \"{}\"", name_of(client), shown_prefix));
  if (!to_status || std::exchange(client.wants_status, true)) return {};
  status_clients_.push_back(&client);
  new_status_clients_.push_back(&client);
  serve_new_status();
  return {};
}

// Returns what is wrong with it; empty: nothing.
std::string Hub::add_subscription(Client& client, ClientSubscription subscription) {
  if (client.subscriptions.size() == kMostSubscriptions) return "too many subscriptions";
  const std::size_t prefix_bytes = subscription.prefix.size();
  if (prefix_bytes > kMostPrefixBytes) return fmt::format("a prefix of more than {} bytes", kMostPrefixBytes);
  const std::size_t bytes =
      kSubscriptionBytes + 2 * prefix_bytes + (subscription.match ? subscription.match->size_bytes() : 0);
  const bool is_small_first = client.subscriptions.empty() && bytes <= kFirstSubscriptionBytes;
  if (!is_small_first && subscription_bytes_ + bytes > kMostSubscriptionBytes) {
    return "the subscriptions of all clients take too much memory";
  }
  subscription_bytes_ += bytes;
  client.subscription_bytes += bytes;
  if (subscription.match && !std::exchange(client.has_match, true)) {
    ++matching_clients_;
    client.match_credit_ns = kLeastMatchCredit_ns;
    client.match_credit_at = Clock::now();
  }
  subscription.number = static_cast<std::uint32_t>(client.subscriptions.size());
  const ClientSubscription& added = client.subscriptions.emplace_back(std::move(subscription));
  if (routes_.add(client, added)) inbox_->add_prefix(added.prefix);
  return {};
}

std::string Hub::read_format(std::string_view given, ClientSubscription& subscription) const {
  if (given.empty()) return {};
  std::string name;
  if (given.starts_with('"')) decode_string(given.substr(1, given.size() - 2), name);
  if (name == "nflog") {
    subscription.form = kNflogForm;
  } else if (name == "record") {
    subscription.form = kRecordForm;
  } else {
    subscription.form = name == "packet" ? settings_.packet_form : name == "ulogd" ? formats_.find(name) : 0;
  }
  return subscription.form != 0 ? "" : fmt::format("there is no format {}", given.substr(0, kMostQuotedBytes));
}

std::string Hub::read_match(std::string_view given, ClientSubscription& subscription) const {
  if (given.empty()) return {};
  if (util::is_nested_deeper(given)) return "a match that is nested too deep";
  const auto tables = nlohmann::json::parse(given.begin(), given.end(), nullptr, false);
  if (tables.is_discarded()) return "a match that is not UTF-8, or holds a number that is too large";
  if (tables.dump().size() > kMostMatchBytes) return "a match that is too long";
  CompiledMatch compiled = compile_match(tables, settings_.fields, kClientMatch);
  if (!compiled.faults.empty()) return "a match: " + to_string(compiled.faults.front());
  subscription.match = std::make_shared<const MatchSet>(std::move(compiled.matches));
  return {};
}

void Hub::push(Client& client, LineRef line) {
  if (client.going_bytes != 0) return client.queue.count_missed(1);
  client.queue.push(std::move(line));
  sizes_.rose(client);
  make_ready(client);
}

void Hub::make_ready(Client& client) {
  much_waits_ = much_waits_ || client.queue.queued_bytes() >= kMuchBytes;
  if (client.blocked || std::exchange(client.waits_for_flush, true)) return;
  ready_.push_back(&client);
}

template <typename Give>
void Hub::give_to_takers(const nfbus_event& event, std::span<const Routes::Receiver> receivers, const Give& give) {
  work_ns_ += kReceiverNs * receivers.size();
  std::optional<Facts> facts;  // read when the first match asks
  const auto test = [&](Client& client, const ClientSubscription& subscription) {
    if (!subscription.match) return Verdict::holds;
    if (!facts) facts.emplace(event);
    if (!pay_for_match(client, subscription.match->cost_ns(*facts))) return Verdict::unpaid;
    return (*subscription.match)(*facts) ? Verdict::holds : Verdict::fails;
  };
  for (std::size_t i = 0; i < receivers.size();) {
    // The first of its subscriptions that holds decides the form; it gets the event once.
    Client& client = *receivers[i].client;
    const ClientSubscription* taker = nullptr;
    Verdict verdict = Verdict::fails;
    for (; i < receivers.size() && receivers[i].client == &client; ++i) {
      if (verdict != Verdict::fails) continue;
      verdict = test(client, *receivers[i].subscription);
      taker = receivers[i].subscription;
    }
    switch (verdict) {
      case Verdict::holds: give(client, taker->form); break;
      case Verdict::fails: ++client.filtered; break;
      case Verdict::unpaid: count_missed(client, 1); break;
    }
  }
  keep_within_total();
}

bool Hub::serve_bus(std::size_t most_events, Clock::time_point late) {
  if (batches_.empty()) {
    std::vector<Inbox::Shed> shed;
    inbox_->take(batches_, shed);
    count_shed(shed);
  }
  while (!batches_.empty() && most_events != 0) {
    const Batch& batch = *batches_.front();
    const std::size_t end = std::min(batch.events().size(), served_ + std::min(most_events, kEventsPerLook));
    serve_batch(batch, served_, end);
    most_events -= end - served_;
    served_ = end;
    if (served_ == batch.events().size()) {
      served_ = 0;
      batches_.pop_front();
    }
    if (Clock::now() >= late) break;
  }
  return !batches_.empty();
}

void Hub::serve_batch(const Batch& batch, std::size_t from, std::size_t to) {
  const auto events = batch.events().subspan(from, to - from);
  if (batch.kind() == NFBUS_EVENT_MESSAGE) {
    for (const Event& event : events) serve_message(event);
    return;
  }
  TopicId topic = 0;  // packets of one topic come in runs
  std::span<const Routes::Receiver> receivers;
  for (const Event& event : events) {
    if (std::exchange(topic, event.topic_id) != event.topic_id) receivers = routes_.find(view(event.topic));
    if (!receivers.empty()) serve_packet(event, receivers);
  }
}

void Hub::serve_packet(const Event& event, std::span<const Routes::Receiver> receivers) {
  give_to_takers(event, receivers, [&](Client& client, FormId form) {
    LineRef& line = lines_.at(form);
    if (!line) line = maker_.packet(event, form);
    push(client, line);
  });
  for (LineRef& line : lines_) line.reset();
}

void Hub::serve_message(const Event& event) {
  const auto receivers = routes_.find(view(event.topic));
  const std::string_view text(reinterpret_cast<const char*>(event.payload.data), event.payload.size);
  LineRef line;
  give_to_takers(event, receivers, [&](Client& client, FormId) {
    if (!line) line = maker_.message(view(event.topic), text);
    push(client, line);
  });
}

void Hub::count_shed(const std::vector<Inbox::Shed>& shed) {
  for (const Inbox::Shed& topic : shed) {
    const Client* last = nullptr;
    for (const Routes::Receiver& receiver : routes_.find(topic.topic)) {
      if (receiver.client == std::exchange(last, receiver.client)) continue;
      count_missed(*receiver.client, topic.events);
    }
  }
}

void Hub::count_missed(Client& client, std::uint64_t events) {
  client.queue.count_missed(events);
  if (client.wants_marker) make_ready(client);
}

void Hub::keep_within_total() {
  while (store_.live_bytes() > settings_.total_bytes + going_bytes_) {
    Client* const largest = sizes_.largest();
    if (largest == nullptr) return;
    const std::size_t before = largest->queue.queued_bytes();
    largest->queue.shrink_to(before / 2);
    if (largest->queue.queued_bytes() != before) continue;
    sizes_.remove(*largest);
    largest->going_bytes = before;
    too_large_.push_back(largest);
    going_bytes_ += before;
  }
}

std::string Hub::make_status() {
  const auto begun = Clock::now();
  std::string made = status_();
  const auto ended = Clock::now();
  status_due_ = ended + kStatusPause * (ended - begun);
  return made;
}

void Hub::send_status() {
  new_status_clients_.clear();
  const LineRef line = maker_.message(kStatusTopic, make_status());
  for (Client* client : status_clients_) push(*client, line);
}

void Hub::serve_new_status() {
  if (new_status_clients_.empty() || Clock::now() < status_due_) return;
  const LineRef line = maker_.message(kStatusTopic, make_status());
  for (Client* client : std::exchange(new_status_clients_, {})) push(*client, line);
}

std::vector<Client*> Hub::take_ready() {
  much_waits_ = false;
  for (Client* client : ready_) client->waits_for_flush = false;
  return std::exchange(ready_, {});
}

void Hub::mark_loss(Client& client) {
  if (!client.wants_marker || client.queue.missed() == 0 || !client.queue.may_take_marker()) return;
  const std::uint64_t total = client.queue.counters().overflowed;
  client.queue.push_marker(maker_.marker(client.queue.take_missed(), total));
}

HubCounters Hub::counters() const {
  HubCounters sum = gone_;
  for (const Client* client : clients_) add(sum, *client);
  return sum;
}

std::vector<ClientSnapshot> Hub::snapshots() const {
  std::vector<ClientSnapshot> rows;
  for (const Client* client : clients_) {
    if (rows.size() == kMostShownClients) break;
    rows.push_back(client->snapshot());
  }
  return rows;
}

}  // namespace nfbus::host
