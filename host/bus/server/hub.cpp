#include "bus/server/hub.hpp"

#include "event/topic.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace nfbus::host {

namespace {

// Of batches that wait to be made into lines.
constexpr std::size_t kInboxBytes = 16UL << 20U;

// What waits for one client when gathering more gains nothing: a good part of what its socket takes at once.
constexpr std::size_t kMuchBytes = 64UL << 10U;

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

// About what work costs: each client that a line is for.
constexpr std::uint64_t kReceiverNs = 20;

// What became of the test of a match.
enum class Verdict : std::uint8_t { holds = 1, fails, unpaid };

// Finds who gets packets. Those of one topic come in runs, which are looked up once.
struct ReceiversOfRun {
  Routes& routes;
  TopicId topic = 0;
  std::span<const Routes::Receiver> receivers = {};

  std::span<const Routes::Receiver> of(const Event& event) {
    if (event.topic_id == 0 || event.topic_id != topic) receivers = routes.find(view(event.topic));
    topic = event.topic_id;
    return receivers;
  }
};

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

// The status that is on the bus each second is not for clients: each gets one of its own, at once when it asks and then
// as the server's time allows.
Hub::Hub(Bus& bus, const FormatSet& formats, HubSettings settings, std::function<std::string()> status)
    : bus_(bus),
      settings_(std::move(settings)),
      status_(std::move(status)),
      inbox_(std::make_shared<Inbox>(kInboxBytes, kStatusTopic)),
      maker_(formats, store_) {
  bus_.add(inbox_);
}

Hub::~Hub() {
  inbox_->close();
  bus_.remove(inbox_);
}

void Hub::join(Client& client) { clients_.push_back(&client); }

// Tests of matches are paid for out of a credit that grows with time, so that a client with costly matches makes itself
// miss events and nobody else. A client's share of the time, in ns a ns, is 1 / (kMatchShare * matching clients); the
// bound lets it save up for a burst, but not for a stall. The clock is read only when the credit is used up.
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

void Hub::share_time_with(Client& client) {
  if (std::exchange(client.has_match, true)) return;
  ++matching_clients_;
  client.match_credit_ns = kLeastMatchCredit_ns;
  client.match_credit_at = Clock::now();
}

// Every list that may name the client forgets it here: its memory is free when this returns. Its numbers live on in
// gone_, or the server's totals would shrink.
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

// One that is being cut off for its size (going_bytes) gets nothing more, only its count of misses.
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

// Receivers are sorted by client, so all subscriptions of one that fit this topic stand together: it gets the event
// once, in the form of the first that holds. Facts of the event are read when the first match asks, and shared by all.
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
    // When there is no time left for a match, subscriptions of this client that have none may still want the event.
    Client& client = *receivers[i].client;
    const ClientSubscription* taker = nullptr;
    Verdict verdict = Verdict::fails;
    for (; i < receivers.size() && receivers[i].client == &client; ++i) {
      const ClientSubscription& subscription = *receivers[i].subscription;
      if (verdict == Verdict::holds || (verdict == Verdict::unpaid && subscription.match)) continue;
      verdict = test(client, subscription);
      taker = &subscription;
    }
    switch (verdict) {
      case Verdict::holds: give(client, taker->form); break;
      case Verdict::fails: ++client.filtered; break;
      case Verdict::unpaid: count_missed(client, 1); break;
    }
  }
  keep_within_total();
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

// In pieces, with a look at the clock behind each: how long an event takes depends on how many clients want it, and
// what comes from sockets must not wait for a whole batch. served_ says how far the first batch has come.
bool Hub::serve_bus(std::size_t most_events, Clock::time_point late) {
  if (batches_.empty()) {
    std::vector<Inbox::Dropped> dropped;
    inbox_->take(batches_, dropped);
    count_dropped(dropped);
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
  if (settings_.filters != nullptr && settings_.filters->any()) return serve_filtered(events);
  ReceiversOfRun receivers{routes_};
  for (const Event& event : events) {
    const auto found = receivers.of(event);
    if (!found.empty()) serve_packet(event, found);
  }
}

// Filters see what some client wants, and what they make of it goes to those who want that: a filter may give it
// another topic.
void Hub::serve_filtered(std::span<const Event> events) {
  wanted_.clear();
  ReceiversOfRun receivers{routes_};
  for (const Event& event : events) {
    if (!receivers.of(event).empty()) wanted_.push_back(&event);
  }
  if (wanted_.empty()) return;
  const std::size_t before = wanted_.size();
  settings_.filters->apply(wanted_);
  gone_.kept_back += before - wanted_.size();
  for (const nfbus_event* kept : wanted_) {
    const auto found = receivers.of(host_event(*kept));
    if (!found.empty()) serve_packet(host_event(*kept), found);
  }
  settings_.filters->release();
}

// A line is made when the first client wants the event in that form, and shared by all who do; one that is wanted by
// nobody is never made. The references end here, so that a line is freed when its last client has got or lost it.
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

// What the inbox had to drop was never tested against matches: it is missed by every client with a subscription to its
// topic, once, even where a match would have left it out.
void Hub::count_dropped(const std::vector<Inbox::Dropped>& dropped) {
  for (const Inbox::Dropped& topic : dropped) {
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

// The client for which most waits gives first, down to half of it, until all are within the total: the memory is taken
// from the slow, and who reads along loses nothing. A queue that does not shrink holds one line that has begun, which
// cannot be cut; then the client itself has to go. Until the server has dropped it, its bytes are added to the total,
// or the others would pay for them meanwhile.
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

// A status of many clients may take milliseconds. The next one is due after a pause in proportion to what this one
// took, so that no number of clients that ask for it takes more than its part of the time.
std::string Hub::make_status() {
  const auto begun = Clock::now();
  std::string made = status_();
  const auto ended = Clock::now();
  status_due_ = ended + kStatusPause * (ended - begun);
  return made;
}

void Hub::send_status() {
  for (Client* client : std::exchange(new_status_clients_, {})) client->awaits_status = false;
  const LineRef line = maker_.message(kStatusTopic, make_status());
  for (Client* client : status_clients_) push(*client, line);
}

void Hub::serve_new_status() {
  if (new_status_clients_.empty() || Clock::now() < status_due_) return;
  const LineRef line = maker_.message(kStatusTopic, make_status());
  for (Client* client : std::exchange(new_status_clients_, {})) {
    client->awaits_status = false;
    push(*client, line);
  }
}

std::vector<Client*> Hub::take_ready() {
  much_waits_ = false;
  for (Client* client : ready_) client->waits_for_flush = false;
  return std::exchange(ready_, {});
}

// Made just before a send, not when the loss happens: one marker then tells of all that was lost up to here, and a
// client that takes nothing does not collect markers.
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
