#include "bus/server/hub.hpp"

#include "support/log.hpp"

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
// Said at most so often, with how many were not said.
constexpr std::chrono::seconds kSayEvery{1};

// What waits for one client when gathering more gains nothing: a good part of what its socket takes at once.
constexpr std::size_t kMuchBytes = 64UL << 10U;

// A match is compiled on the server's thread, and a tcpdump expression may be long in the making.
constexpr std::size_t kMostMatchBytes = 4096;
constexpr std::size_t kMostQuotedBytes = 64;

// Subscriptions of one client: each costs a look at every new topic.
constexpr std::size_t kMostSubscriptions = 256;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
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
      maker_(formats, store_),
      refusals_(kSayEvery),
      joins_(kSayEvery),
      broken_lines_(kSayEvery) {
  bus_.add(inbox_);
}

Hub::~Hub() {
  inbox_->close();
  bus_.remove(inbox_);
}

void Hub::join(Client& client) { clients_.push_back(&client); }

void Hub::leave(Client& client) {
  add(gone_, client);
  const std::uint64_t queued = client.queue.counters().queued;
  gone_.queued -= queued;
  gone_.left += queued;
  std::erase(clients_, &client);
  std::erase(status_clients_, &client);
  std::erase(ready_, &client);
  if (client.subscriptions.empty()) return;
  routes_.remove(client);
  inbox_->set_prefixes(routes_.prefixes());
}

void Hub::receive(Client& client, std::string_view line) {
  ++client.received.received;
  if (line.ends_with('\r')) line.remove_suffix(1);
  const WireLine read = scanner_.scan(line);
  switch (read.kind) {
    case WireLine::Kind::publish: return publish(client, line, read);
    case WireLine::Kind::subscribe: return subscribe(client, line, read);
    case WireLine::Kind::broken: ++client.received.invalid; break;
    case WireLine::Kind::wrong_value: ++client.received.not_text; break;
  }
  if (const auto held_back = broken_lines_.admit()) {
    const char* what = read.kind == WireLine::Kind::broken ? "no JSON object with a topic" : "its value is no string";
    log::warning(fmt::format("bus: {}: a line is skipped: {} ({} more before)", name_of(client), what, *held_back));
  }
}

void Hub::refuse(Client& client, std::string_view why) {
  ++client.received.refused;
  if (const auto held_back = refusals_.admit()) {
    log::warning(fmt::format("bus: {}: refused: {} ({} more before)", name_of(client), why, *held_back));
  }
}

void Hub::publish(Client& client, std::string_view line, const WireLine& read) {
  if (read.topic.starts_with(settings_.topic_root) || read.topic.starts_with(kOwnTopics)) {
    return refuse(client, fmt::format("only the host publishes under \"{}\"", read.topic.substr(0, kMostQuotedBytes)));
  }
  ++client.received.relayed;
  relay(line, read.topic);
  if (!bus_.wants_message(read.topic, inbox_.get())) return;
  text_.clear();
  decode_string(read.value, text_);
  bus_.publish(make_message(read.topic, text_, now_ns(), client.peer.uid), inbox_.get());
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

void Hub::subscribe(Client& client, std::string_view line, const WireLine& read) {
  ClientSubscription subscription{.prefix = std::string(read.topic), .form = settings_.default_form, .match = nullptr};
  bool marker = false;
  if (read.extended) {
    if (const std::string why = read_extensions(line, subscription, marker); !why.empty()) return refuse(client, why);
  }
  if (client.subscriptions.size() == kMostSubscriptions) return refuse(client, "too many subscriptions");
  ++client.received.subscribed;
  client.wants_marker = client.wants_marker || marker;
  if (const auto held_back = joins_.admit()) {
    log::info(fmt::format("bus: {} subscribes to \"{}\" ({} more before)", name_of(client),
                          subscription.prefix.substr(0, kMostQuotedBytes), *held_back));
  }
  if (subscription.prefix == kStatusTopic) {
    if (client.wants_status) return;
    client.wants_status = true;
    status_clients_.push_back(&client);
    push(client, maker_.message(kStatusTopic, status_()));
    return;
  }
  client.subscriptions.push_back(std::move(subscription));
  routes_.update(client);
  inbox_->set_prefixes(routes_.prefixes());
}

std::string Hub::read_extensions(std::string_view line, ClientSubscription& subscription, bool& marker) const {
  const auto object = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (object.is_discarded()) return "a subscription that is not UTF-8";
  std::string mistake;
  if (const auto given = object.find("marker"); given != object.end()) {
    if (!given->is_boolean()) return "\"marker\" is not true or false";
    marker = given->get<bool>();
  }
  if (const auto given = object.find("format"); given != object.end()) mistake = read_format(*given, subscription);
  if (!mistake.empty()) return mistake;
  if (const auto given = object.find("match"); given != object.end()) mistake = read_match(*given, subscription);
  return mistake;
}

std::string Hub::read_format(const nlohmann::json& given, ClientSubscription& subscription) const {
  const std::string name = given.is_string() ? given.get<std::string>() : given.dump();
  if (name == "nflog") {
    subscription.form = kNflogForm;
  } else if (name == "record") {
    subscription.form = kRecordForm;
  } else {
    subscription.form = name == "packet" ? settings_.packet_form : name == "ulogd" ? formats_.find(name) : 0;
  }
  return subscription.form != 0 ? "" : fmt::format("there is no format \"{}\"", name.substr(0, kMostQuotedBytes));
}

std::string Hub::read_match(const nlohmann::json& given, ClientSubscription& subscription) const {
  if (given.dump().size() > kMostMatchBytes) return "a match that is too long";
  CompiledMatch compiled = compile_match(given, settings_.fields, kClientMatch);
  if (!compiled.faults.empty()) return "a match: " + to_string(compiled.faults.front());
  subscription.match = std::make_shared<const MatchSet>(std::move(compiled.matches));
  return {};
}

void Hub::push(Client& client, LineRef line) {
  client.queue.push(std::move(line));
  make_ready(client);
}

void Hub::make_ready(Client& client) {
  much_waits_ = much_waits_ || client.queue.queued_bytes() >= kMuchBytes;
  if (client.blocked || std::exchange(client.waits_for_flush, true)) return;
  ready_.push_back(&client);
}

template <typename Give>
void Hub::give_to_takers(const nfbus_event& event, std::span<const Routes::Receiver> receivers, const Give& give) {
  std::optional<Facts> facts;  // read when the first match asks
  const auto holds = [&](const ClientSubscription& subscription) {
    if (!subscription.match) return true;
    if (!facts) facts.emplace(event);
    return (*subscription.match)(*facts);
  };
  for (std::size_t i = 0; i < receivers.size();) {
    // The first of its subscriptions that holds decides the form; it gets the event once.
    Client& client = *receivers[i].client;
    const ClientSubscription* taker = nullptr;
    for (; i < receivers.size() && receivers[i].client == &client; ++i) {
      if (taker == nullptr && holds(*receivers[i].subscription)) taker = receivers[i].subscription;
    }
    if (taker != nullptr) {
      give(client, taker->form);
    } else {
      ++client.filtered;
    }
  }
  keep_within_total();
}

bool Hub::serve_bus(std::size_t most_events) {
  if (batches_.empty()) {
    std::vector<Inbox::Shed> shed;
    inbox_->take(batches_, shed);
    count_shed(shed);
  }
  while (!batches_.empty() && most_events != 0) {
    const Batch& batch = *batches_.front();
    const std::size_t end = std::min(batch.events().size(), served_ + most_events);
    serve_batch(batch, served_, end);
    most_events -= end - served_;
    served_ = end;
    if (served_ != batch.events().size()) continue;
    served_ = 0;
    batches_.pop_front();
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
      receiver.client->queue.count_missed(topic.events);
      if (receiver.client->wants_marker) make_ready(*receiver.client);
    }
  }
}

void Hub::keep_within_total() {
  while (store_.live_bytes() > settings_.total_bytes) {
    const auto largest = std::max_element(clients_.begin(), clients_.end(), [](const Client* a, const Client* b) {
      return a->queue.queued_bytes() < b->queue.queued_bytes();
    });
    if (largest == clients_.end()) return;
    const std::size_t before = (*largest)->queue.queued_bytes();
    (*largest)->queue.shrink_to(before / 2);
    if ((*largest)->queue.queued_bytes() == before) return;
  }
}

void Hub::send_status() {
  const LineRef line = maker_.message(kStatusTopic, status_());
  for (Client* client : status_clients_) push(*client, line);
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
  rows.reserve(clients_.size());
  for (const Client* client : clients_) rows.push_back(client->snapshot());
  return rows;
}

}  // namespace nfbus::host
