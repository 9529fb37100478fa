// The mission document's form: a prefix, addresses, ports and devices of packets.
#include "fields.hpp"
#include "quiet.hpp"
#include "rule.hpp"
#include "text.hpp"

#include <nfbus/match.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace rules {
namespace {

std::string text_at(const Json& conditions, std::string_view key) {
  const Json* const value = find_key(conditions, key);
  if (value == nullptr) return {};
  if (!value->is_string()) throw std::invalid_argument("Conditions." + std::string(key) + ": must be a text");
  return value->get<std::string>();
}

std::uint16_t port_at(const Json& conditions, std::string_view key) {
  constexpr std::int64_t kMostPort = 65535;
  const Json* const value = find_key(conditions, key);
  if (value == nullptr) return 0;
  if (!value->is_number_integer() || value->get<std::int64_t>() < 0 || value->get<std::int64_t>() > kMostPort) {
    throw std::invalid_argument("Conditions." + std::string(key) + ": must be a port, 0 to 65535; 0 is any");
  }
  return value->get<std::uint16_t>();
}

// In any case, as Go reads them. What is none of them was meant to be one.
void check_keys(const Json& conditions) {
  constexpr std::array<std::string_view, 8> kKeys = {"Prefix", "Protocol", "SrcIP", "SrcPort",
                                                     "DstIP",  "DstPort",  "InDev", "OutDev"};
  for (const auto& item : conditions.items()) {
    const bool is_known = std::any_of(kKeys.begin(), kKeys.end(),
                                      [&item](std::string_view key) { return is_same_but_for_case(item.key(), key); });
    if (is_known) continue;
    throw std::invalid_argument("Conditions: " + in_quotes(item.key()) + " is an unknown key" +
                                did_you_mean(item.key(), {kKeys.begin(), kKeys.end()}) +
                                "; there are Prefix, Protocol, SrcIP, SrcPort, DstIP, DstPort, InDev and OutDev");
  }
}

// The host's words begin with the key of a match: `dst: "8.8.8": ...`.
std::string in_our_words(const std::string& text) {
  for (const auto& [key, ours] :
       {std::pair("topic: ", "Prefix"), std::pair("proto: ", "Protocol"), std::pair("src: ", "SrcIP"),
        std::pair("dst: ", "DstIP"), std::pair("in: ", "InDev"), std::pair("out: ", "OutDev")}) {
    const std::string_view start = key;
    if (text.starts_with(start)) return "Conditions." + std::string(ours) + ": " + text.substr(start.size());
  }
  return "Conditions: " + text;
}

class PacketRule final : public Rule {
 public:
  PacketRule(const Json& rule, const Surroundings& around) {
    const Json* const conditions = find_key(rule, "Conditions");
    const Json* const notification = find_key(rule, "Notification");
    if (notification != nullptr && !notification->is_boolean()) {
      throw std::invalid_argument("Notification: must be true or false");
    }
    tells_ = notification != nullptr && notification->get<bool>();
    prefix_ = text_at(*conditions, "Prefix");
    check_keys(*conditions);
    const Json table = table_of(*conditions);
    if (table.empty()) return;
    try {
      match_ = around.host.match(table.dump());
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(in_our_words(error.what()));
    }
    has_conditions_ = true;
  }

  void judge(JudgedEvent& event, std::int64_t now_ns, std::vector<Notification>& out) override {
    if (!tells_ || !matches(event)) return;
    note_match(event.event());
    if (!limit_.may_tell(now_ns)) {
      ++counters_.held_back;
      limit_.hold(now_ns);
      return;
    }
    ++counters_.told;
    out.push_back(notification_of(event));
  }
  void tick(std::int64_t now_ns, std::vector<Notification>& out) override {
    tell_held(limit_.take_held(now_ns), now_ns, out);
  }
  void finish(std::int64_t now_ns, std::vector<Notification>& out) override {
    tell_held(limit_.take_all_held(), now_ns, out);
  }
  void clock_jumped(std::int64_t from_ns, std::int64_t to_ns) override { limit_.clock_jumped(to_ns - from_ns); }

  [[nodiscard]] bool matches(JudgedEvent& event) override {
    return event.event().is_packet() && (!has_conditions_ || match_(event.event()));
  }
  [[nodiscard]] std::string name() const override { return {}; }
  [[nodiscard]] std::string severity() const override { return "info"; }
  [[nodiscard]] bool is_disabled() const override { return false; }
  [[nodiscard]] bool wants_everything() const override { return !tells_ && prefix_.empty(); }

 private:
  void tell_held(std::uint64_t events, std::int64_t now_ns, std::vector<Notification>& out) {
    if (events == 0) return;
    ++counters_.told;
    const std::string title = prefix_.empty() ? "packets" : prefix_;
    out.push_back(held_note(Shape::notifications, title, severity(), events, limit_.window_s(), now_ns));
  }

  static Json table_of(const Json& conditions) {
    Json table = Json::object();
    for (const auto& [key, ours] :
         {std::pair("Prefix", "topic"), std::pair("Protocol", "proto"), std::pair("SrcIP", "src"),
          std::pair("DstIP", "dst"), std::pair("InDev", "in"), std::pair("OutDev", "out")}) {
      std::string text = text_at(conditions, key);
      // Names of protocols are in any case, as a page may write them.
      if (std::string_view(key) == "Protocol") {
        std::transform(text.begin(), text.end(), text.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      }
      if (!text.empty()) table[ours] = text;
    }
    if (const std::uint16_t port = port_at(conditions, "SrcPort"); port != 0) table["sport"] = port;
    if (const std::uint16_t port = port_at(conditions, "DstPort"); port != 0) table["dport"] = port;
    return table;
  }

  static Notification notification_of(JudgedEvent& event) {
    Notification out;
    out.shape = Shape::notifications;
    out.severity = "info";
    append_clean(out.topic, event.event().topic());
    out.title = out.topic;
    out.message = default_message(event);
    out.time_ns = event.event().time_ns();
    out.is_for_clients = event.take_frame();
    out.frame_type = out.topic;
    out.frame_data = event.text();
    out.bus_topic = "alert:" + out.title;
    const std::string copy = event.copy();
    out.bus_text = R"({"Topic":)" + in_quotes(out.topic) + R"(,"Name":"","NotificationType":"info","Title":)" +
                   in_quotes(out.title) + R"(,"Body":)" + in_quotes(out.message) + R"(,"Count":1,"Window":0)" +
                   (copy.empty() ? R"(,"Truncated":true})" : R"(,"Event":)" + copy + '}');
    return out;
  }

  bool tells_ = false;
  std::string prefix_;
  bool has_conditions_ = false;
  nfbus::Match match_;
  FloodLimit limit_{kMostPerSecond};
};

}  // namespace

std::unique_ptr<Rule> compile_packet_rule(const Json& rule, const Surroundings& around) {
  return std::make_unique<PacketRule>(rule, around);
}

}  // namespace rules
