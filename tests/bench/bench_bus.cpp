// Fan-out: what a batch costs the capture thread for each subscriber.
#include "bus/bus.hpp"

#include "make_events.hpp"
#include "subscribe.hpp"
#include "topics.hpp"

#include <benchmark/benchmark.h>

namespace nfbus::host {
namespace {

constexpr std::size_t kBatchEvents = 1000;

QueueLimits limits() { return {.events = 4 * kBatchEvents, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest}; }

// All subscribers want every event: one entry in each queue.
void FanOutAll(benchmark::State& state) {
  test::Events events(1UL << 20);
  Bus bus;
  for (std::int64_t i = 0; i < state.range(0); ++i) (void)test::subscribe(bus, {}, limits());
  const BatchRef batch = events.packets(kBatchEvents);
  for (auto _ : state) bus.publish(batch);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchEvents));
}
BENCHMARK(FanOutAll)->Arg(1)->Arg(10)->Arg(100);

// Each subscriber wants one topic of ten: the events are picked.
void FanOutPicked(benchmark::State& state) {
  test::Events events(1UL << 20);
  Bus bus;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    (void)test::subscribe(
        bus, {.topics = test::topics({"nft:p" + std::to_string(i % 10)}), .kinds = NFBUS_EVENT_PACKET}, limits());
  }
  std::vector<std::string> prefixes;
  for (std::size_t i = 0; i < kBatchEvents; ++i) prefixes.push_back("p" + std::to_string(i % 10));
  const BatchRef batch = events.packets(prefixes);
  for (auto _ : state) bus.publish(batch);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchEvents));
}
BENCHMARK(FanOutPicked)->Arg(1)->Arg(10)->Arg(100);

}  // namespace
}  // namespace nfbus::host
