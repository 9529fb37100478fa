// What it costs to render one packet event as text.
#include "decode/decode.hpp"
#include "event/event.hpp"
#include "formats/format.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

// The record of a captured packet; see tests/data/ulogd/README.md.
std::vector<std::uint8_t> load_record(const std::string& name) {
  std::ifstream in(NFBUS_TEST_DATA "/ulogd/" + name + ".case");
  std::string hex;
  if (!std::getline(in, hex)) throw std::runtime_error("no record " + name);
  std::vector<std::uint8_t> record;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    record.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return record;
}

void render(benchmark::State& state, const std::string& format_name, const std::string& record_name) {
  const FormatSet formats("spr");
  const Format& format = formats[formats.find(format_name)];
  const std::vector<std::uint8_t> record = load_record(record_name);
  Event event{};
  event.struct_size = sizeof(nfbus_event);
  event.kind = NFBUS_EVENT_PACKET;
  event.action = NFBUS_ACTION_BLOCKED;
  event.in_name = NFBUS_TEXT("vb");
  read_record(record, event);
  decode_packet(event);
  TextBuffer out;
  std::int64_t bytes = 0;
  while (state.KeepRunning()) {
    event.time_ns += 3000;  // as packets come at 300,000 a second
    out.clear();
    format.render(event, out);
    benchmark::DoNotOptimize(out.view().data());
    benchmark::ClobberMemory();
    bytes += static_cast<std::int64_t>(out.size());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}

BENCHMARK_CAPTURE(render, ulogd_udp4, "ulogd", "udp4");
BENCHMARK_CAPTURE(render, packet_udp4, "packet", "udp4");
BENCHMARK_CAPTURE(render, packet_full_udp4, "packet_full", "udp4");
BENCHMARK_CAPTURE(render, ulogd_udp4_output, "ulogd", "output4");
BENCHMARK_CAPTURE(render, packet_udp4_output, "packet", "output4");
BENCHMARK_CAPTURE(render, packet_full_udp4_output, "packet_full", "output4");
BENCHMARK_CAPTURE(render, ulogd_tcp4, "ulogd", "tcp4_data");
BENCHMARK_CAPTURE(render, packet_tcp4, "packet", "tcp4_data");
BENCHMARK_CAPTURE(render, packet_full_tcp4, "packet_full", "tcp4_data");
BENCHMARK_CAPTURE(render, ulogd_tcp4_options, "ulogd", "tcp4_syn");
BENCHMARK_CAPTURE(render, packet_tcp4_options, "packet", "tcp4_syn");
BENCHMARK_CAPTURE(render, packet_full_tcp4_options, "packet_full", "tcp4_syn");
BENCHMARK_CAPTURE(render, ulogd_icmp4, "ulogd", "icmp4_echo");
BENCHMARK_CAPTURE(render, packet_icmp4, "packet", "icmp4_echo");
BENCHMARK_CAPTURE(render, packet_full_icmp4, "packet_full", "icmp4_echo");
BENCHMARK_CAPTURE(render, ulogd_udp6, "ulogd", "udp6");
BENCHMARK_CAPTURE(render, packet_udp6, "packet", "udp6");
BENCHMARK_CAPTURE(render, packet_full_udp6, "packet_full", "udp6");
BENCHMARK_CAPTURE(render, ulogd_tcp6, "ulogd", "tcp6_syn");
BENCHMARK_CAPTURE(render, packet_tcp6, "packet", "tcp6_syn");
BENCHMARK_CAPTURE(render, packet_full_tcp6, "packet_full", "tcp6_syn");
BENCHMARK_CAPTURE(render, ulogd_icmp6, "ulogd", "icmp6_router_advertisement");
BENCHMARK_CAPTURE(render, packet_icmp6, "packet", "icmp6_router_advertisement");
BENCHMARK_CAPTURE(render, packet_full_icmp6, "packet_full", "icmp6_router_advertisement");

}  // namespace
}  // namespace nfbus::host
