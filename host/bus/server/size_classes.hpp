// The clients for which most waits, found without a look at each.
#pragma once

#include "bus/server/client.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <vector>

namespace nfbus::host {

// Clients by the bytes that wait for them, a class for each power of two. Thread safety: none.
class SizeClasses {
 public:
  // More waits for the client than before.
  void rose(Client& client) {
    if (class_of(client) > client.size_class) move(client, class_of(client));
  }
  void remove(Client& client) { move(client, 0); }
  // One for which as much waits as for any other, within a factor of two; null: nothing waits.
  [[nodiscard]] Client* largest() {
    for (std::size_t size_class = classes_.size(); --size_class != 0;) {
      while (!classes_.at(size_class).empty()) {
        Client* const client = classes_.at(size_class).back();
        if (class_of(*client) == size_class) return client;
        move(*client, class_of(*client));  // lines of it went
      }
    }
    return nullptr;
  }

 private:
  static std::uint8_t class_of(const Client& client) noexcept {
    return static_cast<std::uint8_t>(std::bit_width(client.queue.queued_bytes()));
  }
  void move(Client& client, std::uint8_t size_class) {
    if (client.size_class != 0) {
      auto& from = classes_.at(client.size_class);
      from.back()->place = client.place;
      from.at(client.place) = from.back();
      from.pop_back();
    }
    client.size_class = size_class;
    if (size_class == 0) return;
    client.place = classes_.at(size_class).size();
    classes_.at(size_class).push_back(&client);
  }

  std::array<std::vector<Client*>, 65> classes_;
};

}  // namespace nfbus::host
