#include "bus/server/routes.hpp"

#include "bus/server/prefix_walk.hpp"

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

// Clients choose topics, and how many want them: more than so much is not remembered.
constexpr std::size_t kMostKnownTopics = 4096;
constexpr std::size_t kMostTopicBytes = 1024;
constexpr std::size_t kMostReceivers = 1UL << 20U;

// Many may leave at once. When taking them out of the known topics, one by one, has cost more than to find those anew,
// they are forgotten. In topics, with as many receivers as are moved up in about the same time.
constexpr std::size_t kMostRemovalWork = 1UL << 18U;
constexpr std::size_t kMovedAtOnce = 256;

bool comes_before(const Routes::Receiver& a, const Routes::Receiver& b) noexcept { return a.client->id < b.client->id; }

}  // namespace

Routes::Added Routes::add(Client& client, const ClientSubscription& subscription) {
  const Receiver fresh{.client = &client, .subscription = &subscription};
  const auto insert = [&](Receivers& receivers) {
    receivers.insert(std::upper_bound(receivers.begin(), receivers.end(), fresh, comes_before), fresh);
  };
  Receivers& same = by_prefix_[subscription.prefix];
  insert(same);
  Added added{.is_first = same.size() == 1, .topics = 0};
  for_each_beginning_with(known_in_order_, subscription.prefix, [&](auto& known) {
    insert(*known.second);
    ++added.topics;
  });
  known_receivers_ += added.topics;
  if (known_receivers_ > kMostReceivers) forget_known();
  return added;
}

std::vector<std::string> Routes::remove(Client& client) {
  const auto erase = [&](Receivers& receivers) {
    const Receiver of_client{.client = &client, .subscription = nullptr};
    const auto [first, last] = std::equal_range(receivers.begin(), receivers.end(), of_client, comes_before);
    const auto erased = static_cast<std::size_t>(last - first);
    receivers.erase(first, last);
    return erased;
  };
  std::vector<std::string> unused;
  for (const ClientSubscription& subscription : client.subscriptions) {
    const auto found = by_prefix_.find(subscription.prefix);
    if (found == by_prefix_.end()) continue;  // it had subscribed to it twice
    erase(found->second);
    for_each_beginning_with(known_in_order_, subscription.prefix, [&](auto& known) {
      removal_work_ += 1 + known.second->size() / kMovedAtOnce;
      known_receivers_ -= erase(*known.second);
    });
    if (removal_work_ > kMostRemovalWork) forget_known();
    if (!found->second.empty()) continue;
    unused.push_back(found->first);
    by_prefix_.erase(found);
  }
  return unused;
}

void Routes::forget_known() noexcept {
  known_in_order_.clear();
  known_.clear();
  known_receivers_ = 0;
  removal_work_ = 0;
}

Routes::Receivers Routes::receivers_of(std::string_view topic) const {
  Receivers receivers;
  std::size_t prefixes = 0;
  for_each_prefix(by_prefix_, topic, [&](const auto& entry) {
    receivers.insert(receivers.end(), entry.second.begin(), entry.second.end());
    ++prefixes;
    return true;
  });
  if (prefixes < 2) return receivers;
  std::sort(receivers.begin(), receivers.end(), [](const Receiver& a, const Receiver& b) {
    return a.client != b.client ? comes_before(a, b) : a.subscription->number < b.subscription->number;
  });
  return receivers;
}

std::span<const Routes::Receiver> Routes::find(std::string_view topic) {
  if (const auto found = known_.find(topic); found != known_.end()) return found->second;
  Receivers receivers = receivers_of(topic);
  if (topic.size() > kMostTopicBytes || receivers.size() > kMostReceivers) {
    not_remembered_ = std::move(receivers);
    return not_remembered_;
  }
  if (known_.size() >= kMostKnownTopics || known_receivers_ + receivers.size() > kMostReceivers) forget_known();
  known_receivers_ += receivers.size();
  const auto added = known_.emplace(topic, std::move(receivers)).first;
  known_in_order_.emplace(added->first, &added->second);
  return added->second;
}

}  // namespace nfbus::host
