// Bans by messages: `ban:` and `ban:SET` with {"address","ttl_s","reason"} go to the privileged part, few transactions
// for many of them, and what comes of each is published as nftban:SET.
#pragma once

#include "ban_settings.hpp"

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>
#include <nfbus/result.hpp>
#include <nfbus/sink.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nftrules {

// Lives in the sink's instance; all functions [worker] but the constructor.
class BanMessages {
 public:
  // [control]
  BanMessages(nfbus::Host host, const BanSettings& settings);

  // Bans what the messages ask for, and says of each event what became of it; others are rejected. Waits between
  // transactions, at most ten a second, as long as this write() may. Returns what write() is to return.
  nfbus::Delivery write(nfbus::Events events);

  // About each second, and for large sets less often: publishes whom packets have banned, and has the part look whom it
  // may not ban.
  void tick();

  // Makes what is missing of tables and sets, and says what it had to do; nothing without sets in the configuration. At
  // the start (there on [control]), and when sets have changed. Errors: what is still missing, each once while it
  // lasts.
  nfbus::Result<void> reassert();

  // Asks the part what a command asked for, and publishes what changed.
  nfbus::Result<nlohmann::json> ask(const nlohmann::json& request);

 private:
  using Clock = std::chrono::steady_clock;

  // One address, and the events that ban it.
  struct Item {
    std::string set;
    std::string address;
    std::uint64_t ttl_s = 0;  // 0: the set's
    std::string reason;
    std::vector<std::uint32_t> events;
  };

  // Reads a message; the reason why it bans nothing, if it does not.
  [[nodiscard]] std::string read(nfbus::Event event, Item& item) const;
  void gather(nfbus::Events events, std::vector<Item>& items);
  void refuse(nfbus::Events events, std::uint32_t index, const Item& item, const std::string& why);
  bool wait_for_turn(nfbus::Events events);
  nfbus::Result<void> ban(nfbus::Events events, const std::vector<Item>& items);
  void publish(const nlohmann::json& change);

  const nfbus::Host host_;
  const BanSettings& settings_;
  Clock::time_point last_sent_{};
  Clock::time_point next_notice_{};
  std::string trouble_;  // that was said last
  nfbus::Counter banned_;
  nfbus::Counter refused_;
  nfbus::Counter transactions_;
};

}  // namespace nftrules
