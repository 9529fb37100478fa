#include "ban_messages.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Delivery;
using nfbus::Error;
using nfbus::Events;
using nfbus::Result;
using nlohmann::json;

constexpr std::chrono::milliseconds kBetweenSends{100};
constexpr std::chrono::seconds kBetweenNotices{1};
constexpr int kNoticeShare = 50;  // looking takes at most 2 % of the time
constexpr std::chrono::milliseconds kTimeout{15'000};
constexpr std::size_t kMostItems = 500;  // as Bans::kMostItems
constexpr std::string_view kTopic = "ban:";
constexpr std::size_t kMostText = 1024;  // bytes of an address or a reason that are looked at

std::string as_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

BanMessages::BanMessages(nfbus::Host host, const BanSettings& settings)
    : host_(host),
      settings_(settings),
      banned_(host.counter("banned")),
      refused_(host.counter("bans_refused")),
      transactions_(host.counter("ban_transactions")) {}

std::string BanMessages::read(nfbus::Event event, Item& item) const {
  const std::string_view set = event.topic().substr(kTopic.size());
  item.set = set.empty() && !settings_.sets.empty() ? settings_.sets.front().name : std::string(set);
  if (!settings_.accept_messages) return "messages ban nobody here: accept_messages = true lets them";
  if (std::ranges::find(settings_.sets, item.set, &BanSet::name) == settings_.sets.end()) {
    return "there is no set of this name";
  }
  if (nfbus::util::is_nested_deeper(event.text())) return "it is nested too deep";
  const json message = json::parse(event.text(), nullptr, false);
  if (!message.is_object()) return R"(it is no {"address":...,"ttl_s":...,"reason":...})";
  const auto address = message.find("address");
  if (address == message.end() || !address->is_string()) return "it has no address";
  item.address = address->get<std::string>().substr(0, kMostText);
  if (const auto reason = message.find("reason"); reason != message.end() && !reason->is_null()) {
    if (!reason->is_string()) return "its reason is no text";
    item.reason = reason->get<std::string>().substr(0, kMostText);
  }
  if (const auto ttl = message.find("ttl_s"); ttl != message.end() && !ttl->is_null()) {
    if (!ttl->is_number_unsigned() || ttl->get<std::uint64_t>() == 0) return "ttl_s is a number of seconds, at least 1";
    item.ttl_s = ttl->get<std::uint64_t>();
  }
  return {};
}

void BanMessages::refuse(Events events, std::uint32_t index, const Item& item, const std::string& why) {
  refused_.add();
  events.reject(index, item.address.empty() ? why : item.address + ": " + why);
}

// Messages that ban the same address are one item, for the longest of their times.
void BanMessages::gather(Events events, std::vector<Item>& items) {
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    if (!events[i].is_message() || !events[i].topic().starts_with(kTopic)) {
      events.reject(i, "this sink takes no messages but ban:");
      continue;
    }
    Item item;
    if (const std::string why = read(events[i], item); !why.empty()) {
      refuse(events, i, item, why);
      if (settings_.accept_messages && !item.address.empty()) {
        publish({{"set", item.set}, {"address", item.address}, {"ttl_s", 0}, {"reason", why}, {"change", "refused"}});
      }
      continue;
    }
    const auto [place, is_new] = places.try_emplace({item.set, item.address}, items.size());
    if (is_new) {
      item.events = {i};
      items.push_back(std::move(item));
      continue;
    }
    Item& before = items[place->second];
    before.ttl_s = before.ttl_s == 0 || item.ttl_s == 0 ? 0 : std::max(before.ttl_s, item.ttl_s);
    before.events.push_back(i);
  }
}

bool BanMessages::wait_for_turn(Events events) {
  const auto turn = last_sent_ + kBetweenSends;
  const auto now = Clock::now();
  if (turn <= now) return true;
  if (turn - now >= std::chrono::milliseconds(events.time_left_ms())) return false;
  std::this_thread::sleep_until(turn);
  return true;
}

Delivery BanMessages::write(Events events) {
  std::vector<Item> items;
  gather(events, items);
  for (std::size_t from = 0; from < items.size(); from += kMostItems) {
    const std::vector<Item> part(std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(from)),
                                 std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                             from + kMostItems, items.size()))));
    const bool has_turn = wait_for_turn(events);
    Result<void> banned = has_turn ? ban(events, part) : Result<void>();
    if (has_turn && banned) continue;
    if (!banned && banned.error().code == Code::refused) {  // there is no part, as in a replay
      for (const Item& item : part) {
        for (const std::uint32_t index : item.events) refuse(events, index, item, banned.error().text);
      }
      continue;
    }
    const auto again = [&](const Item& item) {
      for (const std::uint32_t index : item.events) events.again(index);
    };
    std::ranges::for_each(part, again);
    std::for_each(items.begin() + static_cast<std::ptrdiff_t>(std::min(from + kMostItems, items.size())), items.end(),
                  again);
    Delivery late = Delivery::ok(kBetweenSends.count());
    if (!banned) late.reason = banned.error().text;
    return late;
  }
  return Delivery::ok();
}

Result<void> BanMessages::ban(Events events, const std::vector<Item>& items) {
  json asked = {{"do", "ban_many"}, {"items", json::array()}};
  for (const Item& item : items) {
    json one = {{"set", item.set}, {"address", item.address}, {"reason", item.reason}};
    if (item.ttl_s != 0) one["ttl_s"] = item.ttl_s;
    asked["items"].push_back(std::move(one));
  }
  last_sent_ = Clock::now();
  transactions_.add();
  const auto answered = host_.request(as_text(asked), kTimeout);
  if (!answered) return answered.error();
  const json answer = json::parse(*answered, nullptr, false);
  const auto changes = answer.find("changes");
  if (changes == answer.end() || changes->size() != items.size()) {
    return Error{Code::io, "the privileged part's answer is not about what was asked"};
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const json& change = changes->at(i);
    const bool is_refused = change.at("change") == "refused";
    if (!is_refused) banned_.add();
    for (const std::uint32_t index : items[i].events) {
      if (is_refused) {
        refuse(events, index, items[i], change.at("reason").get<std::string>());
      } else {
        events.delivered(index);
      }
    }
    publish(change);
  }
  return {};
}

void BanMessages::tick() {
  const auto now = Clock::now();
  if (settings_.sets.empty() || now < next_notice_) return;
  if (const auto noticed = ask({{"do", "notice"}}); !noticed) {
    host_.debug("who was banned by packets is not known: " + noticed.error().text);
  }
  const auto end = Clock::now();
  next_notice_ = end + std::max<Clock::duration>(kBetweenNotices, kNoticeShare * (end - now));
}

Result<void> BanMessages::reassert() {
  if (settings_.sets.empty()) return {};
  const auto answered = host_.request(R"({"do":"reassert"})", kTimeout);
  std::string trouble;
  if (!answered) {
    trouble = answered.error().text;
  } else {
    const json answer = json::parse(*answered, nullptr, false);
    for (const json& made : answer.at("made")) host_.info("made " + made.get<std::string>());
    const auto again = answer.at("banned_again").get<std::size_t>();
    if (again != 0) host_.info("banned " + std::to_string(again) + " again, for the time that was left");
    for (const json& text : answer.at("troubles")) trouble += (trouble.empty() ? "" : "; ") + text.get<std::string>();
  }
  if (trouble == trouble_) return {};
  trouble_ = trouble;
  return trouble.empty() ? Result<void>() : Error{Code::io, trouble};
}

Result<json> BanMessages::ask(const json& request) {
  const auto answered = host_.request(as_text(request), kTimeout);
  if (!answered) return answered.error();
  json answer = json::parse(*answered, nullptr, false);
  const auto changes = answer.find("changes");
  if (changes != answer.end()) std::ranges::for_each(*changes, [&](const json& change) { publish(change); });
  return answer;
}

void BanMessages::publish(const json& change) {
  if (change.at("change") == "same") return;
  json text = change;
  text.erase("set");
  const std::string topic = "nftban:" + change.at("set").get<std::string>();
  if (!host_.publish(topic, as_text(text))) {
    host_.debug("a message of " + topic + " was refused by the host");
  }
}

}  // namespace nftrules
