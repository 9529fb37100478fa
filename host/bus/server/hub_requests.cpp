// What clients ask of the hub: lines to publish, subscriptions, and the answers to both.
#include "bus/server/hub.hpp"

#include "event/topic.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"

#include <nfbus/util/json_levels.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <utility>

namespace nfbus::host {

namespace {

constexpr std::string_view kAnswerTopic = "nfbus:answer";
constexpr std::size_t kMostFindingsBytes = kMostMadeBytes / 8;  // each byte may become several: it is escaped twice
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";    // RFC 9113, section 3.4

// A tcpdump expression may be long in the making.
constexpr std::size_t kMostMatchBytes = 4096;
// As its client wrote it: an escape of six bytes may stand for one.
constexpr std::size_t kMostWrittenMatchBytes = 6 * kMostMatchBytes;
constexpr std::string_view kTooLongMatch = "a match that is too long";

constexpr std::size_t kMostQuotedBytes = 64;

// Subscriptions of one client. What they take in memory is bounded for all clients together; a client's first one is
// let in all the same, if it is small.
constexpr std::size_t kMostSubscriptions = 256;
constexpr std::size_t kMostPrefixBytes = 1024;
constexpr std::size_t kSubscriptionBytes = 256;  // besides the prefix, twice, and the match
constexpr std::size_t kMostSubscriptionBytes = 16UL << 20U;
constexpr std::size_t kFirstSubscriptionBytes = 8192;
constexpr std::string_view kNoMemory = "the subscriptions of all clients take too much memory";

// About what work costs: a line, a known topic that a subscription fits.
constexpr std::uint64_t kLineNs = 300;
constexpr std::uint64_t kTopicNs = 100;

std::string to_text(const nlohmann::ordered_json& answer) {
  return answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Error invalid(std::string why) { return {.code = Code::invalid, .text = std::move(why)}; }

// A request line (RFC 9112, section 3), or what HTTP/2 begins with.
bool is_http(std::string_view line) {
  return line == kHttp2Preface || line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0");
}

// One line for one trouble: a refusal begins with words of our own, and what its client wrote stands in quotes or
// behind a colon. Were that part of the kind, a client could fill the log's kinds, and silence what is said of others.
std::string_view kind_of(std::string_view refusal) { return refusal.substr(0, refusal.find_first_of("\":")); }

}  // namespace

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
  const Result<void> taken = take(client, line, read);
  if (read.wants_answer && !client.waits_for_answer) answer(client, taken);
  return true;
}

Result<void> Hub::take(Client& client, std::string_view line, const WireLine& read) {
  const bool asks_for_status = read.kind == WireLine::Kind::subscribe && read.topic == kStatusTopic;
  if (client.provisional && (!asks_for_status || read.asks_for_more())) {
    return refuse(client, "too many clients are connected");
  }
  switch (read.kind) {
    case WireLine::Kind::publish:
      if (read.topic == kReloadTopic) return ask_for_reload(client);
      return publish(client, line, read);
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

void Hub::answer(Client& client, const Result<void>& outcome) {
  nlohmann::ordered_json answer = {{"ok", outcome.ok()}};
  if (!outcome) answer["error"] = outcome.error().text;
  send_answer(client, to_text(answer));
}

void Hub::send_answer(Client& client, std::string_view answer) {
  push(client, maker_.message(kAnswerTopic, answer));
  keep_within_total();
}

Result<void> Hub::ask_for_reload(Client& client) {
  if (client.peer.uid != 0 && client.peer.uid != ::geteuid()) {
    return refuse(client, "only root and the user that nfbus runs as may have it reload");
  }
  if (!reload_ || !reload_(client.id)) return refuse(client, "this host does not reload");
  client.waits_for_answer = true;
  waiting_.emplace(client.id, &client);
  return {};
}

void Hub::answer_reload(std::uint64_t client, const ReloadOutcome& outcome) {
  const auto found = waiting_.find(client);
  if (found == waiting_.end()) return;  // it has left
  nlohmann::ordered_json answer = {{"ok", outcome.done.ok()}};
  if (!outcome.done) answer["error"] = outcome.done.error().text;
  std::size_t bytes = 0;
  auto& findings = answer["findings"] = nlohmann::ordered_json::array();
  for (const std::string& finding : outcome.findings) {
    bytes += finding.size();
    if (bytes > kMostFindingsBytes) {
      findings.push_back("and more: nfbus check shows all");
      break;
    }
    findings.push_back(finding);
  }
  Client& asker = *found->second;
  waiting_.erase(found);
  asker.waits_for_answer = false;
  resumed_.push_back(&asker);
  send_answer(asker, to_text(answer));
}

Error Hub::skip(const Client& client, std::string_view why) {
  log::repeated(log::Level::warning, "bus", why, fmt::format("{}: a line is skipped: {}", client.name(), why));
  return invalid(fmt::format("the line is skipped: {}", why));
}

Error Hub::refuse(Client& client, std::string why) {
  ++client.received.refused;
  log::repeated(log::Level::warning, "bus", kind_of(why), fmt::format("{}: refused: {}", client.name(), why));
  return {.code = Code::refused, .text = std::move(why)};
}

void Hub::say_foreign(const Client& client, std::string_view line) {
  const std::string_view what =
      line == kHttp2Preface ? "gRPC, as programs for the sprbus of before its JSON lines do" : "HTTP";
  log::repeated(
      log::Level::warning, "bus", what,
      fmt::format("{} is cut off: it speaks {}, and this socket takes a JSON object a line", client.name(), what));
}

Result<void> Hub::reserved(std::string_view topic) const {
  const std::string& root = settings_.topic_root;
  const std::string_view quoted = topic.substr(0, kMostQuotedBytes);
  if (topic.starts_with(kOwnTopics)) {
    return invalid(fmt::format(R"(only the host publishes under "{}": "{}")", kOwnTopics, quoted));
  }
  if (!topic.starts_with(root)) return {};
  return invalid(
      fmt::format("only the host publishes under \"{}\", the topic_root of its packets ([host] topic_root in its "
                  "configuration): \"{}\"",
                  root, quoted));
}

Result<void> Hub::publish(Client& client, std::string_view line, const WireLine& read) {
  if (auto allowed = reserved(read.topic); !allowed) return refuse(client, std::move(allowed).error().text);
  ++client.received.relayed;
  relay(line, read.topic);
  if (!bus_.wants_message(read.topic, inbox_.get())) return {};
  text_.clear();
  decode_string(read.value, text_);
  bus_.publish(make_message(read.topic, text_, realtime_ns(), client.peer.uid), inbox_.get());
  return {};
}

Result<void> Hub::subscribe(Client& client, const WireLine& read) {
  SubscriptionRequest request;
  if (auto was_read = read_request(read, request); !was_read) {
    return refuse(client, std::move(was_read).error().text);
  }
  if (side_ != nullptr && !request.match.empty()) {
    if (!has_memory_for(client, request.match.size())) return refuse(client, std::string(kNoMemory));
    read_match_aside(client, std::move(request));
    return {};
  }
  const Result<void> compiled = read_match(request.match, request.subscription);
  return finish_subscription(client, std::move(request), compiled);
}

// Bounds all of it before anything is copied.
Result<void> Hub::read_request(const WireLine& read, SubscriptionRequest& request) const {
  if (read.topic.size() > kMostPrefixBytes) {
    return invalid(fmt::format("a prefix of more than {} bytes", kMostPrefixBytes));
  }
  if (read.match.size() > kMostWrittenMatchBytes) return invalid(std::string(kTooLongMatch));
  if (!read.marker.empty() && read.marker != "true" && read.marker != "false") {
    return invalid("\"marker\" is not true or false");
  }
  request.marker = read.marker == "true";
  request.wants_answer = read.wants_answer;
  request.match = read.match;
  request.subscription.prefix = read.topic;
  request.subscription.form = settings_.default_format;
  return read_format(read.format, request.subscription);
}

// The request counts as a subscription's memory while it waits.
void Hub::read_match_aside(Client& client, SubscriptionRequest request) {
  client.waits_for_answer = true;
  waiting_.emplace(client.id, &client);
  subscription_bytes_ += request.match.size();
  side_->run([this, id = client.id, kept = std::make_shared<SubscriptionRequest>(std::move(request))] {
    Result<void> compiled = read_match(kept->match, kept->subscription);
    return [this, id, kept, compiled = std::move(compiled)] { resume(id, *kept, compiled); };
  });
}

void Hub::resume(std::uint64_t id, const SubscriptionRequest& request, const Result<void>& compiled) {
  subscription_bytes_ -= request.match.size();
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;  // it has left
  Client& client = *found->second;
  waiting_.erase(found);
  client.waits_for_answer = false;
  resumed_.push_back(&client);
  const Result<void> outcome = finish_subscription(client, request, compiled);
  if (request.wants_answer) answer(client, outcome);
}

Result<void> Hub::finish_subscription(Client& client, SubscriptionRequest request, const Result<void>& compiled) {
  if (!compiled) return refuse(client, compiled.error().text);
  const bool to_status = request.subscription.prefix == kStatusTopic;
  const std::string shown_prefix = request.subscription.prefix.substr(0, kMostQuotedBytes);
  if (!to_status) {
    if (auto added = add_subscription(client, std::move(request.subscription)); !added) {
      return refuse(client, std::move(added).error().text);
    }
  }
  ++client.received.subscribed;
  client.wants_marker = client.wants_marker || request.marker;
  // Status is asked for again and again by those who watch a host.
  log::repeated(to_status ? log::Level::debug : log::Level::info, "bus", "subscribes",
                fmt::format("{} subscribes to \"{}\"", client.name(), shown_prefix));
  if (!to_status || std::exchange(client.wants_status, true)) return {};
  client.awaits_status = true;
  status_clients_.push_back(&client);
  new_status_clients_.push_back(&client);
  serve_new_status();
  return {};
}

bool Hub::has_memory_for(const Client& client, std::size_t bytes) const noexcept {
  const bool is_small_first = client.subscriptions.empty() && bytes <= kFirstSubscriptionBytes;
  return is_small_first || subscription_bytes_ + bytes <= kMostSubscriptionBytes;
}

Result<void> Hub::add_subscription(Client& client, ClientSubscription subscription) {
  if (client.subscriptions.size() == kMostSubscriptions) return invalid("too many subscriptions");
  const std::size_t bytes =
      kSubscriptionBytes + 2 * subscription.prefix.size() + (subscription.match ? subscription.match->size_bytes() : 0);
  if (!has_memory_for(client, bytes)) return invalid(std::string(kNoMemory));
  subscription_bytes_ += bytes;
  client.subscription_bytes += bytes;
  if (subscription.match) share_time_with(client);
  subscription.number = static_cast<std::uint32_t>(client.subscriptions.size());
  const ClientSubscription& added = client.subscriptions.emplace_back(std::move(subscription));
  const Routes::Added route = routes_.add(client, added);
  work_ns_ += kTopicNs * route.topics;
  if (route.is_first) inbox_->add_prefix(added.prefix);
  return {};
}

Result<void> Hub::read_format(std::string_view given, ClientSubscription& subscription) const {
  if (given.empty()) return {};
  if (given.size() > kMostQuotedBytes) return invalid("there is no format of so long a name");
  std::string name;
  if (given.starts_with('"')) decode_string(given.substr(1, given.size() - 2), name);
  subscription.form = find_form(name, settings_.with_payload);
  if (subscription.form == 0) return invalid(fmt::format("there is no such format: {}", given));
  return {};
}

Result<void> Hub::read_match(std::string_view given, ClientSubscription& subscription) const {
  if (given.empty()) return {};
  if (util::is_nested_deeper(given)) return invalid("a match that is nested too deep");
  const auto tables = nlohmann::json::parse(given.begin(), given.end(), nullptr, false);
  if (tables.is_discarded()) return invalid("a match that is not UTF-8, or holds a number that is too large");
  if (tables.dump().size() > kMostMatchBytes) return invalid(std::string(kTooLongMatch));
  CompiledMatch compiled = compile_match(tables, settings_.fields, kClientMatch);
  if (!compiled.faults.empty()) return invalid("a match: " + to_string(compiled.faults.front()));
  subscription.match = std::make_shared<const MatchSet>(std::move(compiled.matches));
  return {};
}

}  // namespace nfbus::host
