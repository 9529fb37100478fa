// What 100 rules of the websocket notifier cost a packet, of which none, or each, holds for it.
#include "formats/format.hpp"
#include "made_event.hpp"
#include "plugins/instance.hpp"
#include "rules/rule_book.hpp"

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace rules {
namespace {

using nlohmann::json;

constexpr int kRules = 100;
constexpr std::int64_t kNow_ns = 1'800'000'000'000'000'000;

class Book {
 public:
  explicit Book(const std::vector<json>& rules) {
    Shape shape = Shape::rules;
    for (const json& rule : rules) {
      if (rule.contains("Actions")) shape = Shape::alerts;
      const std::string text = rule.dump();
      const Answer answer = book_.handle({.shape = shape, .method = Method::put, .body = text});
      if (answer.status != 200) throw std::runtime_error(answer.body);
    }
    std::vector<Notification> out;
    book_.tick(kNow_ns, out);
    packet_.event.origin = &packet_.event;
  }
  void judge(benchmark::State& state) {
    std::vector<Notification> out;
    std::uint64_t told = 0;
    while (state.KeepRunning()) {
      book_.judge(nfbus::Event(&packet_.event), out);
      services_.call_ended();
      told += out.size();
      out.clear();
    }
    state.counters["told"] = static_cast<double>(told);
  }

 private:
  nfbus::host::FormatSet formats_{"bench"};
  nfbus::host::SharedServices shared_{.formats = formats_, .publish = {}};
  nfbus::host::InstanceServices services_{"sink.bench", "bench", shared_};
  RuleBook book_{nfbus::Host(services_.abi()), Settings{}};
  nfbus::host::test::MadeEvent packet_{
      nfbus::host::test::ipv4("10.0.0.2", "10.0.0.1", 6, nfbus::host::test::tcp(40000, 443, 0x02))};
};

json own(int i) {
  json match = {{"dst", "10." + std::to_string(i) + ".7.0/24"}, {"proto", "tcp"}};
  if (i % 4 == 1) match = {{"dport", {22, 23, 5900 + i}}, {"action", "blocked"}};
  if (i % 4 == 2) match = {{"prefix", "wan:rule-" + std::to_string(i)}};
  if (i % 4 == 3) match = {{"src", "203.0." + std::to_string(i) + ".0/24"}, {"!dport", 443}};
  return {{"name", "rule " + std::to_string(i)}, {"match", match}, {"group_by", {"src"}}};
}

json alert(int i) {
  const std::string path =
      i % 2 == 0 ? "@.TCP.DstPort==" + std::to_string(i) : R"(@.IP.SrcIP=="10.9.0.)" + std::to_string(i) + '"';
  return {{"TopicPrefix", "nft:"},
          {"Name", "alert " + std::to_string(i)},
          {"Conditions", {{{"JPath", "$[?(" + path + ")]"}}}},
          {"Actions", {{{"SendNotification", true}}}}};
}

void own_rules_none_holds(benchmark::State& state) {
  std::vector<json> rules;
  for (int i = 0; i < kRules; ++i) rules.push_back(own(i));
  Book(rules).judge(state);
}
BENCHMARK(own_rules_none_holds);

void alerts_none_holds_by_headers(benchmark::State& state) {
  std::vector<json> rules;
  for (int i = 0; i < kRules; ++i) rules.push_back(alert(i));
  Book(rules).judge(state);
}
BENCHMARK(alerts_none_holds_by_headers);

// None can be settled without the packet's JSON, which is made once.
void alerts_none_holds_by_json(benchmark::State& state) {
  std::vector<json> rules;
  for (int i = 0; i < kRules; ++i) {
    rules.push_back(alert(i));
    rules.back()["Conditions"][0]["JPath"] = "$[?(@.IP.TTL==" + std::to_string(i + 100) + ")]";
  }
  Book(rules).judge(state);
}
BENCHMARK(alerts_none_holds_by_json);

// A repeat in an open window.
void a_rule_that_always_holds(benchmark::State& state) {
  const json rule = {{"name", "all"}, {"match", json::object()}, {"group_by", {"src", "dport"}}};
  Book(std::vector<json>(1, rule)).judge(state);
}
BENCHMARK(a_rule_that_always_holds);

// A device that is known.
void first_seen(benchmark::State& state) {
  const json rule = {{"name", "new"}, {"match", json::object()}, {"first_seen", "src"}};
  Book(std::vector<json>(1, rule)).judge(state);
}
BENCHMARK(first_seen);

}  // namespace
}  // namespace rules
