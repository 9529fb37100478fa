// Bans in the privileged part: the only networks that go into sets are those that requests name and the allow list does
// not have, and the only sets are those of the configuration.
//
// Requests and answers are JSON; a set is named as in the configuration, and without one the first is meant:
//   {"do":"ban","set":S?,"address":A,"ttl_s":N?,"reason":R?} -> {"changes":[CHANGE]}; an error if it is refused
//   {"do":"ban_many","items":[{"set","address","ttl_s","reason"},...]} -> {"changes":[CHANGE,...]}: one of each item,
//   in
//                       their order; at most kMostItems, in one transaction
//   {"do":"unban","set":S?,"address":A} -> {"changes":[CHANGE,...]}; without a set from all; an error if none has it
//   {"do":"bans"}    -> {"bans":[{"set","address","left_s","by","reason"},...],"count":N}; by: "message", "packets" or
//                       "others"; at most kMostListed of them
//   {"do":"notice"}  -> {"changes":[CHANGE,...]}: whom packets have banned since the last one, at most kMostItems, and
//   whom
//                       the allow list has now and had not; about each second, to be told
//   {"do":"reassert"} -> {"made":[TEXT,...],"banned_again":N,"troubles":[TEXT,...]}: makes what is missing of tables
//   and
//                       sets, and puts into new sets what messages banned, for the time that is left. What a running
//                       host asks for at its start, and whenever sets have changed
// CHANGE: {"set","address","ttl_s","reason","change"}; change: "added", "renewed", "removed", "refused" (reason says
// why), "same" (an item before it bans the same). A ban never shortens another: ttl_s is the time that is left then.
#pragma once

#include "allow_list.hpp"
#include "ban_set.hpp"
#include "ban_settings.hpp"
#include "netlink.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace nftrules {

// Thread safety: none. Lives as long as the part; netlink outlives it.
class Bans {
 public:
  static constexpr std::size_t kMostItems = 500;
  static constexpr std::size_t kMostListed = 4000;

  Bans(const BanSettings& settings, Netlink& netlink);

  // Whether request() is for this word of "do".
  [[nodiscard]] static bool knows(std::string_view word) noexcept;
  nfbus::Result<nlohmann::json> request(const nlohmann::json& request);

 private:
  using Clock = std::chrono::steady_clock;

  struct Ban {
    Clock::time_point until;
    std::string reason;
  };
  // One of the two sets of a BanSet.
  struct Held {
    const BanSet* set = nullptr;
    SetShape shape;
    std::uint8_t prefix = 0;
    std::optional<SetIdentity> identity;        // none: no bans can stand in it
    std::string trouble;                        // why not
    std::unordered_map<std::string, Ban> bans;  // what messages banned, by key
    std::unordered_set<std::string> noticed;    // of a set with a rate: whom packets banned
  };
  // An item that goes to the kernel.
  struct Wanted {
    std::size_t index = 0;  // of the answer's changes
    Held* held = nullptr;
    NewElement element;
    Clock::time_point until;
  };

  nfbus::Result<nlohmann::json> ban_many(const nlohmann::json& items);
  nfbus::Result<nlohmann::json> unban(const nlohmann::json& request);
  nfbus::Result<nlohmann::json> list();
  nfbus::Result<nlohmann::json> notice();
  nfbus::Result<void> notice_banned(Held& held, nlohmann::json& changes);
  void release_allowed(nlohmann::json& changes);
  nlohmann::json reassert(bool with_own_table);
  nfbus::Result<void> refresh_allowed(Clock::time_point now);
  nfbus::Result<void> reassert_held(Held& held, const std::vector<SetState>& there, nlohmann::json& answer);
  nfbus::Result<SetIdentity> make_missing(const Held& held);
  nfbus::Result<std::unordered_map<std::string, Element>> elements_of(const Held& held);
  nfbus::Result<std::size_t> ban_again(Held& held);
  nfbus::Result<void> adopt(Held& held);
  nfbus::Result<Held*> held_of(const std::string& set, std::uint8_t family);
  void add(std::span<const Wanted> wanted, nlohmann::json& changes);
  nfbus::Result<void> commit(std::span<const Wanted> wanted);
  void forget_expired(Clock::time_point now, Clock::duration at_most_every);

  const BanSettings& settings_;
  Netlink& netlink_;
  AllowList allow_;
  bool is_allow_list_new_ = false;  // nobody has been released for it
  std::vector<Held> held_;
  Clock::time_point forgot_at_{};
  std::optional<bool> renews_;  // by one message; tried once
  bool has_own_table_ = false;  // made by this process
  std::string own_trouble_ =    // why it has none
      "it is in the table of a running host, which this is not: start nfbus with this configuration";
  std::string counting_trouble_;  // which rates are not counted, and why
};

}  // namespace nftrules
