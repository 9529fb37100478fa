#include "bus/server/routes.hpp"

#include <algorithm>

namespace nfbus::host {

namespace {
// Clients choose topics: more than so many are not remembered.
constexpr std::size_t kMostKnownTopics = 4096;
}  // namespace

void Routes::update(Client& client) {
  known_.clear();
  if (std::find(subscribers_.begin(), subscribers_.end(), &client) == subscribers_.end()) {
    subscribers_.push_back(&client);
  }
}

void Routes::remove(const Client& client) {
  if (std::erase(subscribers_, &client) != 0) known_.clear();
}

std::span<const Routes::Receiver> Routes::find(std::string_view topic) {
  if (const auto found = known_.find(topic); found != known_.end()) return found->second;
  if (known_.size() >= kMostKnownTopics) known_.clear();
  std::vector<Receiver> receivers;
  for (Client* client : subscribers_) {
    for (const ClientSubscription& subscription : client->subscriptions) {
      if (topic.starts_with(subscription.prefix)) receivers.push_back({client, &subscription});
    }
  }
  return known_.emplace(topic, std::move(receivers)).first->second;
}

std::vector<std::string> Routes::prefixes() const {
  std::vector<std::string> prefixes;
  for (const Client* client : subscribers_) {
    for (const ClientSubscription& subscription : client->subscriptions) prefixes.push_back(subscription.prefix);
  }
  std::sort(prefixes.begin(), prefixes.end());
  if (!prefixes.empty() && prefixes.front().empty()) return {""};
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  return prefixes;
}

}  // namespace nfbus::host
