// Which clients get what is published under a topic.
#pragma once

#include "bus/server/client.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nfbus::host {

// Thread safety: none.
class Routes {
 public:
  // A subscription whose prefix fits a topic.
  struct Receiver {
    Client* client;
    const ClientSubscription* subscription;
  };

  // A client's subscriptions changed, or are there for the first time.
  void update(Client& client);
  void remove(const Client& client);
  // All whose prefix fits, those of one client side by side; valid until a subscription changes, or the next find().
  [[nodiscard]] std::span<const Receiver> find(std::string_view topic);
  // Every prefix once; only the empty one, if it is among them.
  [[nodiscard]] std::vector<std::string> prefixes() const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<Client*> subscribers_;
  // What find() found since the last change.
  std::unordered_map<std::string, std::vector<Receiver>, Hash, std::equal_to<>> known_;
};

}  // namespace nfbus::host
