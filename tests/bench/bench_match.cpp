// What 200 matches cost a packet: each on its own, as clients and rules have them, and all in one set.
#include "decode/decode.hpp"
#include "event/event.hpp"
#include "formats/format.hpp"
#include "match/match.hpp"
#include "packets.hpp"
#include "plugins/instance.hpp"

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using nlohmann::json;

constexpr std::size_t kMatches = 200;

// The i-th of the kinds of matches that people write. Few hold for a packet, so that nearly all are gone through.
json realistic_match(std::size_t i) {
  const std::string n = std::to_string(i);
  switch (i % 10) {
    case 0: return {{"dst", {"10." + n + ".0.0/16", "2001:db8:" + n + "::/48"}}};
    case 1: return {{"proto", "tcp"}, {"dport", {22, 23, 3389, 5900 + i}}};
    case 2: return {{"in", "wan" + n}, {"!src", {"10.0.0.0/8", "192.168.0.0/16", "fe80::/10"}}};
    case 3: return {{"prefix", "drop:rule-" + n}};
    case 4: return {{"tcp_flags", "syn,!ack"}, {"dport", "2" + n + "-3" + n}};
    case 5: return {{"host", "203.0." + n + ".7"}, {"!proto", {"icmp", "icmpv6"}}};
    case 6: return {{"topic", "nft:drop:*"}, {"mark", "0x" + n + "/0xfff"}};
    case 7: return {{"src", "172.16." + n + ".1-172.16." + n + ".99"}, {"proto", "udp"}, {"dport", {53, 123}}};
    case 8: return {{"out", {"lan" + n, "dmz*"}}, {"length", "1400-1500"}};
    default: return {{"proto", {"tcp", "udp"}}, {"port", "6" + n + "-6" + n + "9"}, {"action", "blocked"}};
  }
}

MatchSet compile(const json& tables) {
  CompiledMatch compiled = compile_match(tables, {});
  if (!compiled.faults.empty()) throw std::runtime_error(to_string(compiled.faults.front()));
  return std::move(compiled.matches);
}

class Packet {
 public:
  explicit Packet(const std::string& name) : packet_(nfbus::test::load_packet(NFBUS_TEST_DATA, name)) {
    event.struct_size = sizeof(nfbus_event);
    read_record(packet_.record, event);
    event.action = NFBUS_ACTION_BLOCKED;
    event.topic = NFBUS_TEXT("nft:drop:input");
    event.prefix = NFBUS_TEXT("drop:input ");
    event.in_name = NFBUS_TEXT("wan0");
    event.out_name = NFBUS_TEXT("lan0");
    decode_packet(event);
  }
  Event event{};

 private:
  nfbus::test::Packet packet_;
};

void each_on_its_own(benchmark::State& state, const std::string& packet_name) {
  const Packet packet(packet_name);
  std::vector<MatchSet> matches;
  for (std::size_t i = 0; i < kMatches; ++i) matches.push_back(compile(realistic_match(i)));
  while (state.KeepRunning()) {
    const Facts facts(packet.event);
    std::size_t held = 0;
    for (const MatchSet& match : matches) held += match(facts) ? 1 : 0;
    benchmark::DoNotOptimize(held);
  }
}

void all_in_one_set(benchmark::State& state, const std::string& packet_name) {
  const Packet packet(packet_name);
  json tables = json::array();
  for (std::size_t i = 0; i < kMatches; ++i) tables.push_back(realistic_match(i));
  const MatchSet matches = compile(tables);
  while (state.KeepRunning()) benchmark::DoNotOptimize(matches.first(Facts(packet.event)));
}

// As a plugin has them.
void through_the_abi(benchmark::State& state, const std::string& packet_name) {
  const Packet packet(packet_name);
  const FormatSet formats("bench");
  const SharedServices shared{.formats = formats, .publish = {}};
  InstanceServices services("sink.bench", "bench", shared);
  const nfbus_host& host = *services.abi();
  std::vector<const nfbus_match*> matches;
  for (std::size_t i = 0; i < kMatches; ++i) {
    const std::string text = realistic_match(i).dump();
    matches.push_back(host.match_compile(host.context, {text.data(), text.size()}, nullptr));
  }
  while (state.KeepRunning()) {
    std::size_t held = 0;
    for (const nfbus_match* match : matches) held += host.match_test(host.context, match, &packet.event);
    benchmark::DoNotOptimize(held);
    services.call_ended();
  }
  for (const nfbus_match* match : matches) host.match_release(host.context, match);
}

void facts(benchmark::State& state, const std::string& packet_name) {
  const Packet packet(packet_name);
  while (state.KeepRunning()) {
    const Facts made(packet.event);
    benchmark::DoNotOptimize(&made);
    benchmark::ClobberMemory();
  }
}

#define NFBUS_BENCH_PACKETS(function)                \
  BENCHMARK_CAPTURE(function, tcp4, "ipv4_tcp_syn"); \
  BENCHMARK_CAPTURE(function, udp4, "ipv4_udp_dns"); \
  BENCHMARK_CAPTURE(function, tcp6, "ipv6_tcp_syn"); \
  BENCHMARK_CAPTURE(function, icmp6, "ipv6_icmpv6_echo")

NFBUS_BENCH_PACKETS(each_on_its_own);
NFBUS_BENCH_PACKETS(all_in_one_set);
NFBUS_BENCH_PACKETS(through_the_abi);
NFBUS_BENCH_PACKETS(facts);

}  // namespace
}  // namespace nfbus::host
