// What is waited for is never lost: random batches, slabs, texts and limits.
#include "bus/memory_queue.hpp"

#include "bus/bus.hpp"
#include "bus/server/inbox.hpp"
#include "make_events.hpp"
#include "topics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <utility>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using test::Events;

using Random = std::minstd_rand;

std::size_t between(Random& random, std::size_t least, std::size_t most) {
  return std::uniform_int_distribution<std::size_t>(least, most)(random);
}

// Small, large, and now and then larger than a slab.
std::size_t record_bytes(Random& random) {
  switch (between(random, 0, 9)) {
    case 0: return between(random, 1500, 9000);
    case 1: return between(random, 30'000, 90'000);
    default: return between(random, 40, 200);
  }
}

// What a sink does with a batch: asks for the texts of some of its events, in some format.
void render(const QueueEntry& entry, Random& random) {
  const auto format = static_cast<std::uint32_t>(between(random, 1, 4));
  const std::string text(between(random, 1, 3000), 'x');
  for (std::size_t i = entry.begin; i < entry.end; i += between(random, 1, 4)) {
    const Event& event = entry[i];
    entry.batch->texts().insert(format, event.index, entry.batch->events().size(), text);
  }
}

// A sink's worker: pulls, renders, settles in pieces; ends when it is told to and its queue is empty.
class Worker {
 public:
  Worker(std::shared_ptr<Subscription> subscription, unsigned seed) : subscription_(std::move(subscription)) {
    thread_ = std::thread([this, seed] { run(Random(seed)); });
  }
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    subscription_->queue().interrupt();
    thread_.join();
  }

  std::vector<std::uint32_t> packets;  // sequence numbers, as they came; to be read after stop()
  std::uint64_t messages = 0;

 private:
  void run(Random random) {
    MemoryQueue& queue = subscription_->queue();
    for (;;) {
      std::vector<const QueueEntry*> entries;
      const std::size_t enough = between(random, 1, 2000);
      const bool stopping = stopping_;
      const std::chrono::milliseconds age(stopping ? 0 : between(random, 0, 20'000));
      queue.pull(entries, {.enough = enough, .most = enough * 2}, age,
                 stopping ? MemoryQueue::Clock::time_point::min() : MemoryQueue::Clock::time_point::max());
      if (entries.empty() && stopping) return;
      std::vector<const nfbus_event*> left;
      for (const QueueEntry* leased : entries) {
        const QueueEntry& entry = *leased;
        render(entry, random);
        left.clear();
        for (std::size_t i = entry.begin; i < entry.end; ++i) {
          left.push_back(&entry[i]);
          if (entry[i].kind == NFBUS_EVENT_MESSAGE) {
            ++messages;
          } else {
            packets.push_back(entry[i].sequence);
          }
        }
        std::size_t begun = left.size();
        while (!left.empty()) {
          const std::size_t part = between(random, 1, left.size());
          left.resize(left.size() - part);
          queue.settle({.delivered = part, .begun = std::exchange(begun, 0), .left = left});
        }
        if (between(random, 0, 2) == 0) std::this_thread::yield();
      }
    }
  }

  std::atomic<bool> stopping_ = false;
  const std::shared_ptr<Subscription> subscription_;
  std::thread thread_;
};

struct Sink {
  std::shared_ptr<Subscription> subscription;
  std::unique_ptr<Worker> worker;
  bool wants_all;
  bool wants_messages;
};

Sink make_sink(Random& random) {
  Interest interest;
  const bool wants_all = between(random, 0, 2) != 0;
  const bool wants_messages = between(random, 0, 1) != 0;
  interest.topics = test::topics({wants_all ? "nft:" : "nft:rare"});
  if (wants_messages) interest.topics.push_back(test::topics({"web:"}).front());
  interest.kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
  const QueueLimits limits{.events = between(random, 1, 3000),
                           .bytes = between(random, 1, 1UL << between(random, 10, 22)),
                           .overflow = between(random, 0, 1) != 0 ? Overflow::drop_oldest : Overflow::drop_newest};
  Sink sink{.subscription = std::make_shared<Subscription>(std::move(interest), limits),
            .worker = nullptr,
            .wants_all = wants_all,
            .wants_messages = wants_messages};
  sink.worker = std::make_unique<Worker>(sink.subscription, static_cast<unsigned>(between(random, 1, 1'000'000)));
  return sink;
}

BatchRef random_batch(Events& events, Random& random) {
  std::vector<std::string> prefixes(between(random, 1, 400));
  const std::size_t rare_part = between(random, 0, 3);
  for (std::string& prefix : prefixes) {
    prefix = rare_part != 0 && between(random, 0, 20 * rare_part) == 0 ? "rare " : "lan " + std::to_string(rare_part);
  }
  const std::size_t each = record_bytes(random);
  if (prefixes.size() * each > 200'000) prefixes.resize(std::max<std::size_t>(1, 200'000 / each));
  return events.packets(prefixes, each);
}

class RandomReplay : public testing::TestWithParam<unsigned> {};

TEST_P(RandomReplay, DeliversEveryPacketOnceAndInOrderToEverySinkWhateverTheLimits) {
  Random random(GetParam());
  Events events(between(random, 8UL << 10U, 256UL << 10U));
  Bus bus;
  std::vector<Sink> sinks;
  for (std::size_t i = between(random, 1, 4); i != 0; --i) sinks.push_back(make_sink(random));
  for (const Sink& sink : sinks) bus.add(sink.subscription);

  std::atomic<bool> ending = false;
  std::thread talker([&, seed = GetParam()] {  // plugins and clients, who may not wait
    Random own(seed + 1);
    for (std::size_t i = 0; i < 400 && !ending; ++i) {
      bus.publish(make_message("web:x", std::string(between(own, 1, 500), 'm'), 0, 0));
      if (between(own, 0, 3) == 0) std::this_thread::yield();
    }
  });
  std::vector<std::uint32_t> all;
  std::vector<std::uint32_t> rare;
  for (std::size_t i = 0; i < 60; ++i) {
    const BatchRef batch = random_batch(events, random);
    for (const Event& event : batch->events()) {
      all.push_back(event.sequence);
      if (view(event.topic).starts_with("nft:rare")) rare.push_back(event.sequence);
    }
    bus.publish_when_room(batch);
  }
  ending = true;
  talker.join();

  for (Sink& sink : sinks) {
    sink.worker->stop();
    const QueueCounters counters = sink.subscription->queue().counters();
    EXPECT_EQ(sink.worker->packets, sink.wants_all ? all : rare);
    // A message that found no room beside the packets was dropped, and nothing else.
    EXPECT_EQ(counters.published, counters.delivered + counters.overflowed);
    EXPECT_EQ(counters.delivered, sink.worker->packets.size() + sink.worker->messages);
    EXPECT_TRUE(sink.wants_messages || counters.overflowed == 0);
    EXPECT_EQ(counters.queued, 0U);
    EXPECT_EQ(sink.subscription->queue().pinned_bytes(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomReplay, testing::Range(1U, 41U));

TEST(WaitingPush, JudgesABatchOverTwoSlabsByBoth) {
  Events events(64UL << 10U);
  const BatchRef first = events.packets(100);  // leaves room in its slab for some of the next
  const BatchRef two_slabs = events.packets(150);
  ASSERT_EQ(two_slabs->slabs().size(), 2U);
  const std::size_t three_slabs = 3 * two_slabs->slabs().front()->size_bytes();
  MemoryQueue queue({.events = 10'000, .bytes = three_slabs - 1, .overflow = Overflow::drop_oldest});
  queue.push_when_room(first);
  std::atomic<bool> pushed = false;
  std::thread replay([&] {
    queue.push_when_room(two_slabs);
    pushed = true;
  });
  std::vector<const QueueEntry*> entries;
  // A full queue wakes the worker, however long it would have waited for more.
  while (entries.empty()) {
    queue.pull(entries, {.enough = 10'000, .most = 10'000}, 1h, MemoryQueue::Clock::now() + 1h);
  }
  EXPECT_FALSE(pushed) << "the first is in hand: its slab is pinned";
  EXPECT_EQ(queue.counters().overflowed, 0U);
  queue.settle({.delivered = 100, .begun = 100});
  replay.join();
  EXPECT_EQ(queue.counters().queued, 150U);
  EXPECT_EQ(queue.counters().overflowed, 0U);
}

TEST(WaitingPush, IsNotPushedOutByMessages) {
  Events events;
  MemoryQueue queue({.events = 4, .bytes = 1UL << 30U, .overflow = Overflow::drop_oldest});
  queue.push_when_room(events.packets(4));
  for (int i = 0; i < 6; ++i) queue.push(make_message("web:x", "{}", 0, 0));
  EXPECT_EQ(queue.counters().queued, 8U) << "as much room again";
  EXPECT_EQ(queue.counters().overflowed, 2U);
  std::vector<const QueueEntry*> entries;
  queue.pull(entries, {.enough = 4, .most = 4}, 0ms, MemoryQueue::Clock::now());
  EXPECT_EQ(entries.front()->batch->kind(), std::uint32_t{NFBUS_EVENT_PACKET});
}

std::vector<std::uint32_t> taken_sequences(Inbox& inbox, std::vector<Inbox::Dropped>& shed) {
  std::deque<BatchRef> batches;
  inbox.take(batches, shed);
  std::vector<std::uint32_t> sequences;
  for (const BatchRef& batch : batches) {
    for (const Event& event : batch->events()) {
      if (event.kind == NFBUS_EVENT_PACKET) sequences.push_back(event.sequence);
    }
  }
  return sequences;
}

TEST(WaitingPush, IsNotShedByTheSocketsInboxEitherWhateverIsPublishedMeanwhile) {
  Random random(7);
  Events events(64UL << 10U);
  Inbox inbox(300'000);
  inbox.add_prefix("");
  std::vector<std::uint32_t> sent;
  std::atomic<bool> done = false;
  std::thread replay([&] {
    for (int i = 0; i < 200; ++i) {
      const BatchRef batch = random_batch(events, random);
      for (const Event& event : batch->events()) sent.push_back(event.sequence);
      inbox.offer(batch, true);
      inbox.offer(make_message("web:x", std::string(5000, 'm'), 0, 0), false);
    }
    done = true;
  });
  std::vector<std::uint32_t> taken;
  std::vector<Inbox::Dropped> shed;
  for (bool last = false; !last;) {
    last = done;
    for (const std::uint32_t sequence : taken_sequences(inbox, shed)) taken.push_back(sequence);
    for (const Inbox::Dropped& gone : shed) EXPECT_EQ(gone.topic, "web:x");
  }
  replay.join();
  EXPECT_EQ(taken, sent);
}

TEST(WaitingPush, EndsWaitingForTheInboxWhenTheHostStops) {
  Events events;
  Inbox inbox(1);
  inbox.add_prefix("");
  inbox.offer(events.packets(2), true);
  std::thread replay([&] { inbox.offer(events.packets(3), true); });
  inbox.end_waiting();
  replay.join();
  std::vector<Inbox::Dropped> shed;
  EXPECT_EQ(taken_sequences(inbox, shed).size(), 5U);
  EXPECT_TRUE(shed.empty());
}

}  // namespace
}  // namespace nfbus::host
