#include "front.hpp"

#include "../queries.hpp"

#include <nfbus/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::size_t kQueuesOfAll = 16;        // so many times client_queue_bytes wait for all clients together
constexpr std::size_t kMostMatchValues = 1024;  // of a client's match
constexpr std::size_t kMostMatchPatterns = 64;  // of them, with a *
constexpr std::uint16_t kTryAgainLater = 1013;  // of the registry of RFC 6455

void append_text(void* taker, nfbus_text text) { *static_cast<std::string*>(taker) = nfbus::to_view(text); }

std::optional<Feed> feed_of(std::string_view path) {
  if (path == "/ws") return Feed::notifications;
  if (path == "/ws/page") return Feed::page;
  if (path == "/ws_events_all" || path == "/ws/all") return Feed::events;
  return std::nullopt;
}

// What a match asks of each event.
struct Extent {
  std::size_t values = 0;
  std::size_t patterns = 0;
};

void measure(const json& match, Extent& extent) {
  if (match.is_structured()) {
    for (const json& part : match) measure(part, extent);
    return;
  }
  ++extent.values;
  if (match.is_string() && match.get_ref<const std::string&>().find('*') != std::string::npos) ++extent.patterns;
}

}  // namespace

void Front::turned_away() {
  turned_away_counter_.add();
  host_.warning("max_clients: " + std::to_string(settings_.server.most_connections) +
                " connections are open: another one is turned away");
}

void Front::upgrade(const Request& request, std::function<void(Upgrade)> reply) {
  const auto refuse = [reply](Response response) {
    protect(response);
    reply({.refused = std::move(response)});
  };
  if (std::optional<Response> wrong = refuse_site(request, settings_.sites)) return refuse(std::move(*wrong));
  const std::optional<Feed> feed = feed_of(request.path);
  if (!feed) return refuse(refusal(404, "here are /ws, /ws_events_all and /ws/page"));
  const auto shared = std::make_shared<const Request>(request);
  judge(*shared, [this, shared, feed = *feed, refuse, reply](Entry entry) {
    if (entry == Entry::none && !has_room()) entry = Entry::crowded;
    if (entry == Entry::wrong || entry == Entry::crowded) return refuse(refuse_entry(entry));
    reply(admit(*shared, feed, entry));
  });
}

Upgrade Front::admit(const Request& request, Feed feed, Entry entry) {
  const bool is_pending = entry == Entry::none;
  const auto of_client = entry == Entry::free ? Client::Entry::open
                         : is_pending         ? Client::Entry::by_frame
                                              : Client::Entry::let_in;
  const ViewId id = next_id_++;
  auto client = std::make_shared<Client>(*this, id, feed, of_client);
  clients_.emplace(id, Known{.client = client,
                             .peer = request.peer,
                             .session = entry == Entry::by_session ? std::string(session_of(request)) : std::string(),
                             .is_pending = is_pending});
  if (is_pending) ++pending_;
  client_count_ = clients_.size();
  return {.conversation = std::move(client), .deflate = feed == Feed::page};
}

void Front::authenticate(const std::shared_ptr<Client>& client, std::string_view token) {
  if (!tokens_.is_needed()) return client->authenticated(true);
  const auto known = clients_.find(client->id());
  const std::string peer = known == clients_.end() ? std::string() : known->second.peer;
  const auto wait = slowdown_.wait(peer, Slowdown::Clock::now());
  // Its place among those who have to authenticate is what it waits at.
  const auto look = [this, weak = std::weak_ptr(client), peer, token = std::string(token)] {
    const std::shared_ptr<Client> waiting = weak.lock();
    if (!waiting) return;
    if (tokens_.holds(token)) return waiting->authenticated(true);
    after(slowdown_.failed(peer, Slowdown::Clock::now()), [waiting] { waiting->authenticated(false); });
  };
  if (wait.count() == 0) return look();
  after(wait, look);
}

void Front::shut_out(const std::function<bool(const Known&)>& is_meant, std::string_view reason) {
  std::vector<std::shared_ptr<Client>> leaving;
  for (const auto& [id, known] : clients_) {
    if (!is_meant(known)) continue;
    if (auto client = known.client.lock()) leaving.push_back(std::move(client));
  }
  for (const auto& client : leaving) client->shut_out(reason);
}

void Front::sees(Client& client, const ViewSettings& settings, Text answer) {
  const auto found = clients_.find(client.id());
  if (found == clients_.end()) return;
  if (std::exchange(found->second.is_pending, false)) --pending_;
  found->second.is_seeing = true;
  post([this, id = client.id(), settings, answer = std::move(answer)](auto) {
    board_.set_view(id, settings);
    if (answer) board_.tell(id, answer);
    return true;
  });
}

void Front::missed_since(Client& client, const ViewSettings& settings, std::uint64_t number) {
  const auto found = clients_.find(client.id());
  if (found == clients_.end()) return;
  const std::shared_ptr<Question> question = found->second.question;
  {
    const std::lock_guard lock(question->mutex);
    question->match = settings.match;
    question->number = number;
    ++question->version;
    if (std::exchange(question->is_waiting, true)) return;
  }
  post([this, question, id = client.id(), version = std::uint64_t{0}, look = Jobs::Job()](auto until) mutable {
    {
      const std::lock_guard lock(question->mutex);
      if (question->is_gone) return true;
      if (std::exchange(version, question->version) != question->version) {
        look = missed_query(board_, question->match, question->number, id);
      }
    }
    if (!look(until)) return false;
    const std::lock_guard lock(question->mutex);
    question->is_waiting = question->version != version;
    return !question->is_waiting;
  });
}

void Front::was_slow(std::uint64_t dropped) {
  slow_counter_.add();
  missed_counter_.add(dropped);
}

void Front::left(Client& client) {
  const auto found = clients_.find(client.id());
  if (found == clients_.end()) return;
  if (found->second.is_pending) --pending_;
  {
    const std::lock_guard lock(found->second.question->mutex);
    found->second.question->is_gone = true;
  }
  const bool was_seeing = found->second.is_seeing;
  clients_.erase(found);
  client_count_ = clients_.size();
  if (!was_seeing) return;
  post([this, id = client.id()](auto) {
    board_.drop_view(id);
    return true;
  });
}

bool Front::may_wait(std::size_t bytes) const {
  const std::size_t most = settings_.client_queue_bytes;
  if (waiting_bytes_ < kQueuesOfAll * most) return bytes <= most;
  // All together have too much: those go that have more than their share.
  return bytes <= kQueuesOfAll * most / clients_.size();
}

void Front::deliver(const Parcel& parcel) {
  for (const auto& [id, texts] : parcel.texts) {
    const auto found = clients_.find(id);
    const std::shared_ptr<Client> client = found == clients_.end() ? nullptr : found->second.client.lock();
    if (!client) continue;
    for (const Text& text : texts) client->send(text);
  }
  for (const ViewId id : parcel.too_costly) {
    const auto found = clients_.find(id);
    const std::shared_ptr<Client> client = found == clients_.end() ? nullptr : found->second.client.lock();
    if (client) client->dismiss(kTryAgainLater, "its match takes too long");
  }
}

nfbus::Result<SharedMatch> Front::compile(const json& match) {
  const auto wrong = [](std::string_view text) { return nfbus::Error{nfbus::Code::invalid, std::string(text)}; };
  if (match.is_null() || (match.is_string() && match.get_ref<const std::string&>().empty()) ||
      (match.is_structured() && match.empty()))
    return SharedMatch();
  nfbus_error error{};
  error.struct_size = sizeof error;
  std::string tables;
  json table;  // that words stand for
  if (match.is_string()) {
    if (words_ == nullptr) return wrong("this host knows no matches in words: send a table");
    if (words_->table(words_->context, nfbus::to_text(match.get_ref<const std::string&>()), &append_text, &tables,
                      &error) != NFBUS_OK) {
      return wrong({error.text, error.size});
    }
    table = json::parse(tables, nullptr, false);
  } else {
    tables = match.dump(-1, ' ', false, json::error_handler_t::replace);
    if (words_ != nullptr && words_->check(words_->context, nfbus::to_text(tables), &error) != NFBUS_OK) {
      return wrong({error.text, error.size});
    }
  }
  Extent extent;
  measure(match.is_string() ? table : match, extent);
  if (extent.values > kMostMatchValues || extent.patterns > kMostMatchPatterns) {
    return wrong("it asks for too much: 1,024 values at most, of which 64 may have a *");
  }
  try {
    return SharedMatch(std::make_shared<const nfbus::Match>(host_.match(tables)));
  } catch (const std::invalid_argument& refused) {
    return wrong(refused.what());
  }
}

}  // namespace websocket
