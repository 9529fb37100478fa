// What an event costs between its queue and a sink that does nothing with it.
#include "delivery/sink_worker.hpp"

#include "make_events.hpp"
#include "scripted_sink.hpp"
#include "subscribe.hpp"

#include <benchmark/benchmark.h>

namespace nfbus::host {
namespace {

constexpr std::size_t kBatchEvents = 1000;

// The plugin call alone, per event of a batch.
void NoopSinkCall(benchmark::State& state) {
  test::ScriptedSink script([](const nfbus_events&, nfbus_report&) -> std::uint32_t { return NFBUS_OK; });
  test::Events events(1UL << 20);
  const FormatSet formats("bench");
  const SharedServices services{.formats = formats, .publish = [](auto, auto, auto) { return true; }};
  auto sink = SinkInstance::create(test::ScriptedSink::plugin(), "noop", "{}", services);
  const BatchRef batch = events.packets(kBatchEvents);
  std::vector<const nfbus_event*> items;
  for (const Event& event : batch->events()) items.push_back(&event);
  std::vector<Outcome> outcomes(items.size(), Outcome::unnamed);
  const WriteDeadline deadline;
  const std::function<void(std::uint32_t, std::string_view)> reason = [](std::uint32_t, std::string_view) {};
  for (auto _ : state) {
    benchmark::DoNotOptimize((*sink)->write({.items = items,
                                             .size_bytes = batch->size_bytes(),
                                             .outcomes = outcomes,
                                             .reason = reason,
                                             .deadline = deadline}));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchEvents));
}
BENCHMARK(NoopSinkCall);

// From publish to the return of the plugin's call, with the worker's thread between.
void QueueToNoopSink(benchmark::State& state) {
  test::ScriptedSink script([](const nfbus_events&, nfbus_report&) -> std::uint32_t { return NFBUS_OK; });
  test::Events events(1UL << 20);
  const FormatSet formats("bench");
  const SharedServices services{.formats = formats, .publish = [](auto, auto, auto) { return true; }};
  auto sink = SinkInstance::create(test::ScriptedSink::plugin(), "noop", "{}", services);
  const auto shape = (*sink)->open();
  Bus bus;
  auto subscription =
      test::subscribe(bus, {}, {.events = 1UL << 20, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest});
  SinkWorker worker(std::move(sink).value(), *shape, {.filters = FilterChain({}), .subscription = subscription});
  worker.start();
  const BatchRef batch = events.packets(kBatchEvents);
  for (auto _ : state) bus.publish_when_room(batch);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchEvents));
  const auto deadline = SinkWorker::Clock::now() + std::chrono::seconds(30);
  worker.request_stop(deadline);
  if (!worker.stopped_by(deadline)) state.SkipWithError("the worker did not stop");
}
BENCHMARK(QueueToNoopSink)->UseRealTime();

}  // namespace
}  // namespace nfbus::host
