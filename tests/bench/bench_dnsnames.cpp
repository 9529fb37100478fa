// What dnsnames costs a packet: two addresses to look up, known or not.
#include "names.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

namespace dnsnames {
namespace {

constexpr std::uint32_t kAddresses = 50'000;

template <std::size_t Size>
std::array<std::uint8_t, Size> address(std::uint32_t number) {
  std::array<std::uint8_t, Size> out{};
  const std::uint32_t spread = number * 2654435761U;  // neighbours in time are none in memory
  std::memcpy(out.data() + Size - sizeof spread, &spread, sizeof spread);
  return out;
}

// known: of 100 packets, how many have a name at their destination.
template <std::size_t Size>
void Lookup(benchmark::State& state) {
  Names names({.max_entries = 65536, .min_ttl_s = 0, .max_ttl_s = 604800});
  for (std::uint32_t i = 0; i < kAddresses; ++i) names.learn(address<Size>(i), "www.example.org", 300, 0);
  const auto known = static_cast<std::uint32_t>(state.range(0));
  std::uint32_t packet = 0;
  std::uint64_t found = 0;
  for (auto _ : state) {
    ++packet;
    found += names.find(address<Size>(kAddresses + packet), 1).empty() ? 0 : 1;
    const std::uint32_t destination = packet % 100 < known ? packet % kAddresses : kAddresses + packet;
    found += names.find(address<Size>(destination), 1).empty() ? 0 : 1;
  }
  benchmark::DoNotOptimize(found);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Lookup<4>)->Arg(0)->Arg(50)->Arg(100);
BENCHMARK(Lookup<16>)->Arg(0)->Arg(50)->Arg(100);

}  // namespace
}  // namespace dnsnames
