// Time per packet from the kernel's bytes to a decoded event.
#include "decode/decode.hpp"

#include "packets.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace nfbus::host {
namespace {

// A fresh event each time, as capture has it.
void decode_fixture(benchmark::State& state, const std::string& name) {
  const test::Packet packet = test::load_packet(NFBUS_TEST_DATA, name);
  std::uint32_t layers = 0;
  for (auto _ : state) {
    Event event{};
    event.struct_size = sizeof(nfbus_event);
    if (read_record(packet.record, event)) decode_packet(event);
    layers = event.layers;
    benchmark::DoNotOptimize(event);
  }
  if (layers != packet.layers) state.SkipWithError("decoded to other layers than the fixture names");
  state.SetItemsProcessed(state.iterations());
}

void read_fixture(benchmark::State& state, const std::string& name) {
  const test::Packet packet = test::load_packet(NFBUS_TEST_DATA, name);
  for (auto _ : state) {
    Event event{};
    event.struct_size = sizeof(nfbus_event);
    benchmark::DoNotOptimize(read_record(packet.record, event));
    benchmark::DoNotOptimize(event);
  }
  state.SetItemsProcessed(state.iterations());
}

// Packets of all kinds in turn: branches are not predicted as well as with one packet again and again.
void decode_all_fixtures(benchmark::State& state) {
  const std::vector<test::Packet> packets = test::load_packets(NFBUS_TEST_DATA);
  for (auto _ : state) {
    for (const test::Packet& packet : packets) {
      Event event{};
      event.struct_size = sizeof(nfbus_event);
      if (read_record(packet.record, event)) decode_packet(event);
      benchmark::DoNotOptimize(event);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(packets.size()));
}

BENCHMARK_CAPTURE(read_fixture, ipv4_tcp, "ipv4_tcp_syn");
BENCHMARK_CAPTURE(decode_fixture, ipv4_tcp, "ipv4_tcp_syn");
BENCHMARK_CAPTURE(decode_fixture, ipv4_udp, "ipv4_udp_dns");
BENCHMARK_CAPTURE(decode_fixture, ipv4_output, "ipv4_output");
BENCHMARK_CAPTURE(decode_fixture, ipv6_tcp, "ipv6_tcp_syn");
BENCHMARK_CAPTURE(decode_fixture, ipv6_icmpv6, "ipv6_icmpv6_router_advertisement");
BENCHMARK_CAPTURE(decode_fixture, ipv6_all_extensions, "ipv6_all_extensions");
BENCHMARK_CAPTURE(decode_fixture, bridge_vlan, "bridge_vlan");
BENCHMARK(decode_all_fixtures);

}  // namespace
}  // namespace nfbus::host
