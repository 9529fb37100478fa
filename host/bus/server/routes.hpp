// Knows which clients get what is published under a topic.
#pragma once

#include "bus/server/client.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nfbus::host {

// A subscription more, or a client less, costs a search and the topics that it is about: nothing is made anew, and what
// is known of other topics stays. Thread safety: none.
class Routes {
 public:
  // A subscription whose prefix fits a topic.
  struct Receiver {
    Client* client;
    const ClientSubscription* subscription;
  };

  // Tells what became of a subscription.
  struct Added {
    bool is_first;       // nobody had subscribed to its prefix
    std::size_t topics;  // that are known, and fit: so much work it was
  };

  // The subscription is the last of the client's, numbered in their order, and stays where it is.
  Added add(Client& client, const ClientSubscription& subscription);
  // All subscriptions of the client; returns the prefixes that nobody else has subscribed to.
  std::vector<std::string> remove(Client& client);
  // All whose prefix fits: clients in the order in which they came, of each its subscriptions in that order. Valid
  // until a subscription changes, or the next find().
  [[nodiscard]] std::span<const Receiver> find(std::string_view topic);

 private:
  using Receivers = std::vector<Receiver>;  // in the order of find()
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  [[nodiscard]] Receivers receivers_of(std::string_view topic) const;
  void forget_known() noexcept;

  std::map<std::string, Receivers, std::less<>> by_prefix_;
  // Holds what find() found.
  std::unordered_map<std::string, Receivers, Hash, std::equal_to<>> known_;
  std::map<std::string_view, Receivers*> known_in_order_;  // the same
  std::size_t known_receivers_ = 0;                        // of all of them
  std::size_t removal_work_ = 0;                           // since all of them were learnt
  Receivers not_remembered_;                               // what find() found last of what is not kept
};

}  // namespace nfbus::host
