#include "ban_part.hpp"

#include "ban_table.hpp"

#include <linux/netfilter.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;

constexpr std::array<std::string_view, 6> kWords = {"ban", "ban_many", "unban", "bans", "notice", "reassert"};
constexpr std::string_view kComment = "nfbus: ";
constexpr std::chrono::seconds kForgetEvery{10};
constexpr std::size_t kPerMessage = 100;   // elements
constexpr std::size_t kPerBatch = 10'000;  // elements that are banned again in one transaction

std::int64_t whole_seconds(std::chrono::nanoseconds time) {
  return std::chrono::ceil<std::chrono::seconds>(time).count();
}

// What nft could not read back in quotes is a blank; as many bytes as go into a comment, and no half a character.
std::string plain_reason(std::string reason) {
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\' || c == 127) c = ' ';
  }
  std::size_t size = std::min(reason.size(), kMostComment - kComment.size());
  while (size < reason.size() && size != 0 && (static_cast<unsigned char>(reason[size]) & 0xc0U) == 0x80U) --size;
  reason.resize(size);
  return reason;
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Others put elements there, too: packets, or the user.
bool is_shared(const BanSet& set) { return set.table.has_value() || set.rate_packets != 0; }

json change_of(std::string_view set, std::string_view address, std::int64_t ttl_s, std::string_view reason,
               std::string_view change) {
  return {{"set", set}, {"address", address}, {"ttl_s", ttl_s}, {"reason", reason}, {"change", change}};
}

}  // namespace

Bans::Bans(const BanSettings& settings, Netlink& netlink)
    : settings_(settings), netlink_(netlink), allow_(settings.allow) {
  for (const BanSet& set : settings_.sets) {
    for (const std::uint8_t family : {NFPROTO_IPV4, NFPROTO_IPV6}) {
      held_.push_back({&set, shape_of(set, family), set.prefix(family), {}, {}, {}, {}});
    }
  }
}

bool Bans::knows(std::string_view word) noexcept { return std::ranges::find(kWords, word) != kWords.end(); }

Result<json> Bans::request(const json& request) {
  const std::string word = text_in(request, "do");
  if (settings_.sets.empty()) {
    return Error{Code::refused, "nothing is banned: the configuration has no set for it; add [[sink.NAME.ban]]"};
  }
  if (word == "reassert") return reassert(true);
  if (word == "bans") return list();
  if (word == "notice") return notice();
  if (word == "unban") return unban(request);
  if (word == "ban") {
    auto done = ban_many(json::array({request}));
    if (!done) return done;
    const json& change = done->at("changes").at(0);
    if (change.at("change") != "refused") return done;
    return Error{Code::refused,
                 change.at("address").get<std::string>() + " is not banned: " + change.at("reason").get<std::string>()};
  }
  const auto items = request.find("items");
  if (word != "ban_many" || items == request.end() || !items->is_array()) {
    return Error{Code::invalid, "no request of nfbus's"};
  }
  if (items->size() > kMostItems) {
    return Error{Code::invalid, "one request bans at most " + std::to_string(kMostItems) + " addresses"};
  }
  return ban_many(*items);
}

Result<Bans::Held*> Bans::held_of(const std::string& set, std::uint8_t family) {
  for (Held& held : held_) {
    if (held.shape.family == family && (set.empty() || held.set->name == set)) return &held;
  }
  std::string names;
  for (const BanSet& known : settings_.sets) names += (names.empty() ? "" : ", ") + known.name;
  return Error{Code::not_found, "there is no set " + set + ": there is " + names};
}

Result<void> Bans::refresh_allowed(Clock::time_point now) {
  auto changed = allow_.refresh(now);
  if (!changed) return changed.error();
  is_allow_list_new_ = is_allow_list_new_ || *changed;
  return *changed && has_own_table_ ? exchange_allowed(netlink_, allow_) : Result<void>();
}

void Bans::forget_expired(Clock::time_point now, Clock::duration at_most_every) {
  if (now == forgot_at_ || now - forgot_at_ < at_most_every) return;
  forgot_at_ = now;
  for (Held& held : held_) {
    std::erase_if(held.bans, [&](const auto& item) { return item.second.until <= now; });
  }
}

Result<json> Bans::ban_many(const json& items) {
  const auto now = Clock::now();
  if (auto refreshed = refresh_allowed(now); !refreshed) return refreshed.error();
  reassert(false);
  json changes = json::array();
  std::vector<Wanted> wanted;
  std::map<std::pair<const Held*, std::string>, std::size_t> seen;  // in `wanted`
  for (const json& item : items) {
    const std::string text = item.is_object() ? text_in(item, "address") : std::string();
    const std::string set = item.is_object() ? text_in(item, "set") : std::string();
    const auto refuse = [&](std::string_view why) {
      changes.push_back(change_of(set.empty() ? settings_.sets.front().name : set, text, 0, why, "refused"));
    };
    const auto address = network_of(text);
    if (!address) {
      refuse(address.error().text);
      continue;
    }
    auto held = held_of(set, address->family);
    if (!held) {
      refuse(held.error().text);
      continue;
    }
    if (address->prefix < (*held)->prefix) {
      refuse("the set " + (*held)->set->name + " bans networks of " + std::to_string((*held)->prefix) + " bits");
      continue;
    }
    const Network network = widened(*address, (*held)->prefix);
    std::string why = allow_.why_allowed(*address);
    if (why.empty() && network != *address) {
      why = allow_.why_allowed(network);
      if (!why.empty()) why += ", and in the banned network " + to_string(network);
    }
    if (!why.empty()) {
      refuse(why + ", which is never banned");
      continue;
    }
    std::int64_t ttl_s = (*held)->set->ttl_s;
    if (const auto asked = item.find("ttl_s"); asked != item.end() && !asked->is_null()) {
      if (!asked->is_number_integer() || asked->get<std::int64_t>() < 1) {
        refuse("ttl_s is a number of seconds, at least 1");
        continue;
      }
      ttl_s = std::min(ttl_s, asked->get<std::int64_t>());
    }
    const std::string reason = plain_reason(text_in(item, "reason"));
    const auto until = now + std::chrono::seconds(ttl_s);
    const std::string key = network.key();
    const auto [place, is_new] = seen.try_emplace({*held, key}, wanted.size());
    json change = change_of((*held)->set->name, to_string(network), ttl_s, reason, "added");
    if (!is_new) {
      Wanted& before = wanted[place->second];
      if (until > before.until) {
        before.until = until;
        changes[before.index]["ttl_s"] = ttl_s;
      }
      change["change"] = "same";
      changes.push_back(std::move(change));
      continue;
    }
    wanted.push_back({changes.size(), *held, {key, Milliseconds(0), std::string(kComment) + reason}, until});
    changes.push_back(std::move(change));
  }

  std::map<const Held*, std::unordered_map<std::string, Element>> found;
  for (const Wanted& one : wanted) {
    if (!is_shared(*one.held->set) || !one.held->identity || found.contains(one.held)) continue;
    auto elements = elements_of(*one.held);
    if (!elements) return elements.error();
    found.emplace(one.held, std::move(elements).value());
  }
  std::vector<Wanted> to_add;
  for (Wanted& one : wanted) {
    const auto there = one.held->bans.find(one.element.key);
    json& change = changes[one.index];
    if (const auto in_set = found.find(one.held); in_set != found.end()) {
      if (const auto element = in_set->second.find(one.element.key); element != in_set->second.end()) {
        if (element->second.is_permanent) {
          change["change"] = "same";  // banned for good, by somebody else
          continue;
        }
        change["change"] = "renewed";
        if (now + element->second.left > one.until) {
          one.until = now + element->second.left;
          change["ttl_s"] = whole_seconds(element->second.left);
        }
      }
    }
    const bool is_renewed = there != one.held->bans.end() && there->second.until > now;
    if (is_renewed) {
      change["change"] = "renewed";
      if (there->second.until > one.until) {
        one.until = there->second.until;
        change["ttl_s"] = whole_seconds(one.until - now);
      }
    }
    if (!one.held->identity) {
      change["change"] = "refused";
      change["reason"] = one.held->trouble;
      continue;
    }
    // A set that the user declared may have no size of its own.
    if (!is_renewed && one.held->bans.size() >= one.held->set->max) forget_expired(now, {});
    if (!is_renewed && one.held->bans.size() >= one.held->set->max) {
      change["change"] = "refused";
      change["reason"] = "the set " + one.held->shape.name + " is full: max = " + std::to_string(one.held->set->max);
      continue;
    }
    one.element.time = std::chrono::ceil<Milliseconds>(one.until - now);
    to_add.push_back(std::move(one));
  }
  add(to_add, changes);
  return json{{"changes", std::move(changes)}};
}

// What the kernel refuses is looked for by halves, so that the others are banned all the same.
void Bans::add(std::span<const Wanted> wanted, json& changes) {
  if (wanted.empty()) return;
  const auto done = commit(wanted);
  if (!done && wanted.size() > 1) {
    add(wanted.first(wanted.size() / 2), changes);
    add(wanted.subspan(wanted.size() / 2), changes);
    return;
  }
  for (const Wanted& one : wanted) {
    json& change = changes[one.index];
    if (!done) {
      change["change"] = "refused";
      change["reason"] = done.error().text;
      continue;
    }
    one.held->bans.insert_or_assign(one.element.key, Ban{one.until, change.at("reason").get<std::string>()});
  }
}

Result<void> Bans::commit(std::span<const Wanted> wanted) {
  if (!renews_) {
    auto tried = renews_by_one_message(netlink_);
    if (!tried) return tried.error();
    renews_ = *tried;
  }
  std::vector<Message> batch;
  for (const Wanted& one : wanted) {
    const std::span<const NewElement> element(&one.element, 1);
    batch.push_back(add_elements(one.held->shape, element));
    if (*renews_) continue;
    // An older kernel leaves the time of what is there: it goes, and comes anew.
    batch.push_back(remove_element(one.held->shape, one.element.key));
    batch.push_back(add_elements(one.held->shape, element));
  }
  return netlink_.commit(batch, std::nullopt);
}

Result<json> Bans::unban(const json& request) {
  const std::string set = text_in(request, "set");
  const auto address = network_of(text_in(request, "address"));
  if (!address) return address.error();
  if (auto known = held_of(set, address->family); !known) return known.error();
  json changes = json::array();
  for (Held& held : held_) {
    if (held.shape.family != address->family || (!set.empty() && held.set->name != set)) continue;
    if (address->prefix < held.prefix) {
      return Error{Code::invalid, "the set " + held.set->name + " has networks of " + std::to_string(held.prefix) +
                                      " bits: name each; nfbus nft bans shows them"};
    }
    const Network network = widened(*address, held.prefix);
    const auto there = list_elements(netlink_, held.shape.table, held.shape.name);
    if (!there) return there.error();
    const auto found = std::ranges::find(*there, network.key(), &Element::key);
    const bool was_held = held.bans.erase(network.key()) != 0;
    if (found != there->end()) {
      const std::vector<Message> batch = {remove_element(held.shape, found->key)};
      if (auto done = netlink_.commit(batch, std::nullopt); !done) return done.error();
    } else if (!was_held) {
      continue;
    }
    held.noticed.erase(network.key());
    // What was counted of it would ban it again at once.
    if (held.set->rate_packets != 0) {
      const std::vector<Message> counter = {remove_element(rate_shape_of(*held.set, held.shape.family), network.key())};
      static_cast<void>(netlink_.commit(counter, std::nullopt));
    }
    changes.push_back(change_of(held.set->name, to_string(network), 0, text_in(request, "reason"), "removed"));
  }
  if (changes.empty()) {
    return Error{Code::not_found, to_string(*address) + " is not banned" + (set.empty() ? "" : " in the set " + set) +
                                      "; see nfbus nft bans"};
  }
  return json{{"changes", std::move(changes)}};
}

Result<json> Bans::list() {
  json bans = json::array();
  std::size_t count = 0;
  for (const Held& held : held_) {
    const auto elements = list_elements(netlink_, held.shape.table, held.shape.name);
    if (!elements) return elements.error();
    count += elements->size();
    for (const Element& element : *elements) {
      if (bans.size() == kMostListed) break;
      const bool is_message = element.comment.starts_with(kComment);
      bans.push_back({{"set", held.set->name},
                      {"address", to_string(network_of_key(held.shape.family, element.key, held.prefix))},
                      {"left_s", whole_seconds(element.left)},
                      {"by", is_message ? "message" : (held.set->rate_packets != 0 ? "packets" : "others")},
                      {"reason", is_message ? element.comment.substr(kComment.size()) : element.comment}});
    }
  }
  return json{{"bans", std::move(bans)}, {"count", count}};
}

Result<json> Bans::notice() {
  if (auto refreshed = refresh_allowed(Clock::now()); !refreshed) return refreshed.error();
  json changes = json::array();
  if (std::exchange(is_allow_list_new_, false)) release_allowed(changes);
  for (Held& held : held_) {
    if (held.set->rate_packets == 0 || !held.identity) continue;
    if (auto noticed = notice_banned(held, changes); !noticed) return noticed.error();
  }
  return json{{"changes", std::move(changes)}};
}

Result<void> Bans::notice_banned(Held& held, json& changes) {
  const auto elements = list_elements(netlink_, held.shape.table, held.shape.name);
  if (!elements) return elements.error();
  std::unordered_set<std::string> now;
  for (const Element& element : *elements) {
    if (element.comment.starts_with(kComment)) continue;
    if (!held.noticed.contains(element.key)) {
      if (changes.size() == kMostItems) continue;  // the next look finds it
      changes.push_back(change_of(
          held.set->name, to_string(network_of_key(held.shape.family, element.key, held.prefix)),
          whole_seconds(element.left),
          "more than " + std::to_string(held.set->rate_packets) + '/' + held.set->rate_unit + ": " + held.set->when,
          "added"));
    }
    now.insert(element.key);
  }
  held.noticed = std::move(now);
  return {};
}

// Who became the machine's own, or its gateway, while banned.
void Bans::release_allowed(json& changes) {
  for (Held& held : held_) {
    for (auto at = held.bans.begin(); at != held.bans.end();) {
      const Network network = network_of_key(held.shape.family, at->first, held.prefix);
      const std::string why = allow_.why_allowed(network);
      if (why.empty() || at->second.until <= Clock::now()) {
        ++at;
        continue;
      }
      const std::vector<Message> batch = {remove_element(held.shape, at->first)};
      static_cast<void>(netlink_.commit(batch, std::nullopt));  // it may have expired this moment
      changes.push_back(change_of(held.set->name, to_string(network), 0, why, "removed"));
      at = held.bans.erase(at);
    }
  }
}

json Bans::reassert(bool with_own_table) {
  forget_expired(Clock::now(), kForgetEvery);
  json answer = {{"made", json::array()}, {"banned_again", 0}, {"troubles", json::array()}};
  if (with_own_table && std::ranges::any_of(settings_.sets, [](const BanSet& set) { return !set.table; })) {
    const auto refreshed = refresh_allowed(Clock::now());
    auto made = refreshed ? make_ban_table(netlink_, settings_.sets, allow_) : Result<MadeBanTable>(refreshed.error());
    has_own_table_ = made.ok();
    own_trouble_ = made ? std::string() : made.error().text;
    if (made && !made->trouble.empty()) counting_trouble_ = made->trouble;
    if (made && made->is_new) answer["made"].push_back("the table inet " + std::string(kBanTable));
  }
  if (!counting_trouble_.empty()) answer["troubles"].push_back(counting_trouble_);
  std::map<std::string, Result<std::vector<SetState>>> sets;  // by table
  for (Held& held : held_) {
    held.trouble.clear();
    if (!held.set->table && !has_own_table_) {
      held.trouble = own_trouble_;
    } else {
      const auto [listed, is_new] = sets.try_emplace(to_string(held.shape.table), std::vector<SetState>());
      if (is_new) listed->second = list_sets(netlink_, held.shape.table);
      auto done = listed->second ? reassert_held(held, *listed->second, answer) : listed->second.error();
      if (!done) held.trouble = done.error().text;
    }
    if (held.trouble.empty()) continue;
    held.identity.reset();
    json& troubles = answer["troubles"];
    if (std::ranges::find(troubles, json(held.trouble)) == troubles.end()) troubles.push_back(held.trouble);
  }
  return answer;
}

Result<void> Bans::reassert_held(Held& held, const std::vector<SetState>& there, json& answer) {
  const auto found = std::ranges::find(there, held.shape.name, &SetState::name);
  if (found != there.end()) {
    if (found->identity == held.identity) return {};
    if (const std::string why = why_unfit(*found, held.shape.family); !why.empty()) return Error{Code::invalid, why};
    if (!held.identity && held.bans.empty()) {
      if (auto adopted = adopt(held); !adopted) return adopted;
      held.identity = found->identity;
      return {};
    }
  }
  SetIdentity identity;
  if (found != there.end()) {
    identity = found->identity;
  } else {
    auto made = make_missing(held);
    if (!made) return made.error();
    identity = *made;
    answer["made"].push_back("the set " + to_string(held.shape.table) + ' ' + held.shape.name);
  }
  auto again = ban_again(held);
  if (!again) return again.error();
  held.identity = identity;
  answer["banned_again"] = answer.at("banned_again").get<std::size_t>() + *again;
  return {};
}

Result<SetIdentity> Bans::make_missing(const Held& held) {
  const auto why_not = why_no_set_in(netlink_, held.shape.table);
  if (!why_not) return why_not.error();
  if (!why_not->empty()) return Error{Code::refused, "the set " + held.shape.name + " is not made: " + *why_not};
  const std::vector<Message> batch = {make_set(held.shape, 1)};
  if (auto made = netlink_.commit(batch, std::nullopt); !made) return made.error();
  const auto there = list_sets(netlink_, held.shape.table);
  if (!there) return there.error();
  const auto found = std::ranges::find(*there, held.shape.name, &SetState::name);
  if (found == there->end()) return Error{Code::busy, "the set " + held.shape.name + " went while it was made"};
  return found->identity;
}

// What an earlier run banned in a table of the user's.
Result<void> Bans::adopt(Held& held) {
  const auto elements = list_elements(netlink_, held.shape.table, held.shape.name);
  if (!elements) return elements.error();
  const auto now = Clock::now();
  for (const Element& element : *elements) {
    if (!element.comment.starts_with(kComment)) continue;
    held.bans.insert_or_assign(element.key, Ban{now + element.left, element.comment.substr(kComment.size())});
  }
  return {};
}

Result<std::unordered_map<std::string, Element>> Bans::elements_of(const Held& held) {
  auto elements = list_elements(netlink_, held.shape.table, held.shape.name);
  if (!elements) return elements.error();
  std::unordered_map<std::string, Element> out;
  for (Element& element : *elements) {
    const std::string key = element.key;
    out.emplace(key, std::move(element));
  }
  return out;
}

Result<std::size_t> Bans::ban_again(Held& held) {
  const auto now = Clock::now();
  std::vector<NewElement> elements;
  auto found = is_shared(*held.set) ? elements_of(held) : std::unordered_map<std::string, Element>();
  if (!found) return found.error();
  for (const auto& [key, ban] : held.bans) {
    if (ban.until <= now) continue;
    const auto element = found->find(key);
    if (element != found->end() && (element->second.is_permanent || now + element->second.left >= ban.until)) continue;
    elements.push_back({key, std::chrono::ceil<Milliseconds>(ban.until - now), std::string(kComment) + ban.reason});
  }
  const std::span<const NewElement> all(elements);
  for (std::size_t from = 0; from < all.size(); from += kPerBatch) {
    std::vector<Message> batch;
    const auto part = all.subspan(from, std::min(kPerBatch, all.size() - from));
    for (std::size_t at = 0; at < part.size(); at += kPerMessage) {
      batch.push_back(add_elements(held.shape, part.subspan(at, std::min(kPerMessage, part.size() - at))));
    }
    if (auto done = netlink_.commit(batch, std::nullopt); !done) return done.error();
  }
  return elements.size();
}

}  // namespace nftrules
