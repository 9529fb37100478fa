#include "bus/memory_queue.hpp"

#include "make_events.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using test::Events;

constexpr std::size_t kPlenty = 1UL << 30;

QueueLimits limits(std::size_t events, Overflow overflow = Overflow::drop_oldest, std::size_t bytes = kPlenty) {
  return {.events = events, .bytes = bytes, .overflow = overflow};
}

// Sequence numbers of all that waits.
std::vector<std::uint32_t> pull_all(MemoryQueue& queue) {
  std::vector<const QueueEntry*> entries;
  queue.pull(entries, {.enough = kPlenty, .most = kPlenty}, 0ms, MemoryQueue::Clock::now());
  std::vector<std::uint32_t> sequences;
  for (const QueueEntry* entry : entries) {
    for (std::size_t i = entry->begin; i < entry->end; ++i) sequences.push_back((*entry)[i].sequence);
  }
  return sequences;
}

TEST(MemoryQueue, HandsOutEventsInTheOrderTheyCame) {
  Events events;
  MemoryQueue queue(limits(100));
  queue.push(events.packets(2));
  queue.push(events.packets(3));
  EXPECT_EQ(pull_all(queue), (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
}

TEST(MemoryQueue, SplitsNoBatchForMoreThanEnough) {
  Events events;
  MemoryQueue queue(limits(100));
  for (const std::size_t size : {3U, 3U, 3U}) queue.push(events.packets(size));
  std::vector<const QueueEntry*> entries;
  queue.pull(entries, {.enough = 2, .most = 8}, 0ms, MemoryQueue::Clock::now());
  EXPECT_EQ(entries.size(), 2U) << "a third would be more than 8";
  queue.pull(entries, {.enough = 2, .most = 2}, 0ms, MemoryQueue::Clock::now());
  EXPECT_EQ(entries.size(), 3U) << "with less there would not be enough";
}

TEST(MemoryQueue, HandsOutOnlyTheWantedEventsOfABatch) {
  Events events;
  MemoryQueue queue(limits(100));
  queue.push(events.packets(5), {1, 4});
  EXPECT_EQ(pull_all(queue), (std::vector<std::uint32_t>{1, 4}));
  EXPECT_EQ(queue.counters().published, 2U);
}

TEST(MemoryQueue, DropsTheOldestAndCountsItWhenFull) {
  Events events;
  MemoryQueue queue(limits(4));
  queue.push(events.packets(3));
  queue.push(events.packets(3));
  EXPECT_EQ(queue.counters().overflowed, 2U);
  EXPECT_EQ(queue.counters().queued, 4U);
  EXPECT_EQ(pull_all(queue), (std::vector<std::uint32_t>{2, 3, 4, 5}));
}

TEST(MemoryQueue, DropsTheNewestAndCountsItWhenToldTo) {
  Events events;
  MemoryQueue queue(limits(4, Overflow::drop_newest));
  queue.push(events.packets(3));
  queue.push(events.packets(3));
  queue.push(events.packets(1));
  EXPECT_EQ(queue.counters().overflowed, 3U);
  EXPECT_EQ(pull_all(queue), (std::vector<std::uint32_t>{0, 1, 2, 3}));
}

TEST(MemoryQueue, KeepsTheNewestOfABatchThatIsLargerThanTheQueue) {
  Events events;
  MemoryQueue queue(limits(2));
  queue.push(events.packets(5));
  EXPECT_EQ(queue.counters().overflowed, 3U);
  EXPECT_EQ(pull_all(queue), (std::vector<std::uint32_t>{3, 4}));
}

TEST(MemoryQueue, CountsWhatTheWorkerHoldsAsQueuedAndAgainstItsBound) {
  Events events;
  MemoryQueue queue(limits(4));
  queue.push(events.packets(3));
  EXPECT_EQ(pull_all(queue).size(), 3U);
  queue.push(events.packets(3));
  EXPECT_EQ(queue.counters().queued, 4U);
  EXPECT_EQ(queue.counters().overflowed, 2U);
  EXPECT_TRUE(queue.settle({.delivered = 2, .filtered = 1, .begun = 3}));
  const QueueCounters counters = queue.counters();
  EXPECT_EQ(counters.delivered, 2U);
  EXPECT_EQ(counters.filtered, 1U);
  EXPECT_EQ(counters.queued, 1U);
  EXPECT_EQ(counters.published, counters.delivered + counters.filtered + counters.overflowed + counters.queued);
}

TEST(MemoryQueue, StaysWithinItsBytesByGivingUpTheOldestBatches) {
  Events events(16384);
  MemoryQueue queue(limits(kPlenty, Overflow::drop_oldest, 5UL * 16384));
  for (int i = 0; i < 50; ++i) queue.push(events.packets(20, "lan:in ", 200));
  EXPECT_LE(queue.pinned_bytes(), 5UL * 16384);
  const QueueCounters counters = queue.counters();
  EXPECT_GT(counters.overflowed, 0U);
  EXPECT_EQ(counters.queued + counters.overflowed, 1000U);
  const auto left = pull_all(queue);
  EXPECT_EQ(left.back(), 999U);
  EXPECT_EQ(left.size(), counters.queued);
}

TEST(MemoryQueue, LetsOneBatchInThatIsLargerThanItsBytes) {
  Events events;
  MemoryQueue queue(limits(kPlenty, Overflow::drop_newest, 10));
  queue.push(events.packets(3));
  EXPECT_EQ(queue.counters().queued, 3U);
  queue.push(events.packets(3));
  EXPECT_EQ(queue.counters().overflowed, 3U);
}

TEST(MemoryQueue, CopiesRareEventsOutSoThatTheyPinNoSlab) {
  constexpr std::size_t kSlab = 64UL * 1024;
  Events events(kSlab);
  MemoryQueue queue(limits(kPlenty));
  // One wanted event in each slab.
  for (int i = 0; i < 40; ++i) queue.push(events.packets(150, "lan:in ", 200), {7});
  EXPECT_EQ(queue.counters().queued, 40U);
  EXPECT_LE(queue.pinned_bytes(), 2 * kSlab + 40 * 1024);
  const auto left = pull_all(queue);
  ASSERT_EQ(left.size(), 40U);
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i], i * 150 + 7);
}

TEST(MemoryQueue, CopiesRareEventsOutOfASlabThatWasFullOfWantedOnesBefore) {
  constexpr std::size_t kSlab = 64UL * 1024;
  Events events(kSlab);
  MemoryQueue queue(limits(kPlenty));
  const Slab* slab = nullptr;
  for (int i = 0; i < 3; ++i) {
    std::vector<const QueueEntry*> entries;
    queue.push(events.packets(120, "lan:in ", 200));
    queue.pull(entries, {.enough = 120, .most = 120}, 0ms, MemoryQueue::Clock::now());
    const Slab* const again = entries[0]->batch->slabs().front().get();
    queue.settle({.delivered = 120, .begun = 120});
    ASSERT_TRUE(slab == nullptr || slab == again) << "the slab is filled anew";
    slab = again;
  }
  for (int i = 0; i < 2; ++i) queue.push(events.packets(120, "lan:in ", 200), {7});
  EXPECT_LE(queue.pinned_bytes(), kSlab + 10 * 1024);
}

TEST(MemoryQueue, ChargesOneSlabOnceForTheQuietBatchesInIt) {
  constexpr std::size_t kSlab = 64UL * 1024;
  Events events(kSlab);
  MemoryQueue queue(limits(kPlenty));
  for (int i = 0; i < 100; ++i) queue.push(events.packets(1));
  EXPECT_EQ(queue.pinned_bytes(), kSlab);

  // Also while a worker holds some of them.
  std::vector<const QueueEntry*> entries;
  queue.pull(entries, {.enough = 50, .most = 50}, 0ms, MemoryQueue::Clock::now());
  EXPECT_EQ(entries.size(), 50U);
  EXPECT_EQ(queue.pinned_bytes(), kSlab);
  queue.pull(entries, {.enough = 50, .most = 50}, 0ms, MemoryQueue::Clock::now());
  EXPECT_EQ(queue.pinned_bytes(), kSlab);
  queue.settle({.delivered = 100, .begun = 100});
  EXPECT_EQ(queue.pinned_bytes(), 0U);
}

TEST(MemoryQueue, CountsRenderedTextsInItsBytes) {
  Events events;
  MemoryQueue queue(limits(kPlenty));
  const BatchRef batch = events.packets(1);
  queue.push(batch);
  const std::size_t before = queue.pinned_bytes();
  (void)batch->texts().insert(1, 0, 1, std::string(5000, 'x'));
  queue.push(events.packets(1));
  EXPECT_GE(queue.pinned_bytes(), before + 5000);
}

TEST(MemoryQueue, RejectsAllThatWaitsAndComesOnceItFailed) {
  Events events;
  MemoryQueue queue(limits(100));
  queue.push(events.packets(3));
  queue.fail();
  queue.push(events.packets(2));
  EXPECT_EQ(queue.counters().rejected, 5U);
  EXPECT_EQ(queue.counters().queued, 0U);
  EXPECT_EQ(queue.pinned_bytes(), 0U);
}

TEST(MemoryQueue, WakesItsWorkerForEventsForControlAndForAge) {
  Events events;
  MemoryQueue queue(limits(100));
  const auto far = MemoryQueue::Clock::now() + 1h;
  std::vector<const QueueEntry*> entries;

  auto worker = std::async(std::launch::async, [&] { queue.pull(entries, {.enough = 1, .most = 1}, 0ms, far); });
  queue.push(events.packets(1));
  worker.get();
  EXPECT_EQ(entries.size(), 1U);

  worker = std::async(std::launch::async, [&] { queue.pull(entries, {.enough = 100, .most = 100}, 20ms, far); });
  queue.push(events.packets(1));  // too few for the batch: its age brings it
  worker.get();
  EXPECT_EQ(entries.size(), 2U);

  worker = std::async(std::launch::async, [&] { queue.pull(entries, {.enough = 100, .most = 100}, 1h, far); });
  queue.interrupt();
  worker.get();
  EXPECT_EQ(entries.size(), 2U);

  queue.interrupt();  // nobody waits: the next to come does not, once
  queue.pull(entries, {.enough = 100, .most = 100}, 1h, far);
  worker = std::async(std::launch::async, [&] { queue.pull(entries, {.enough = 1, .most = 1}, 1h, far); });
  queue.push(events.packets(1));
  worker.get();
  EXPECT_EQ(entries.size(), 3U);
}

// What a worker holds whose plugin hangs.
std::vector<const QueueEntry*> pull_some(MemoryQueue& queue, std::size_t events) {
  std::vector<const QueueEntry*> entries;
  EXPECT_TRUE(queue.pull(entries, {.enough = events, .most = events}, 0ms, MemoryQueue::Clock::now()));
  return entries;
}

TEST(MemoryQueue, BringsAgainWhatAWorkerLetGoAndHadNotSettledBeforeAllThatWaits) {
  Events events;
  MemoryQueue queue(limits(100));
  for (int i = 0; i < 3; ++i) queue.push(events.packets(4));
  const auto held = pull_some(queue, 8);
  ASSERT_EQ(held.size(), 2U);
  // It has begun 6 of the 8, and settled all of them but the second and the last.
  const std::vector<const nfbus_event*> left = {&(*held[0])[1], &(*held[1])[1]};
  EXPECT_TRUE(queue.settle({.delivered = 3, .rejected = 1, .begun = 6, .left = left}));
  queue.let_go();
  EXPECT_EQ(queue.counters().queued, 8U);
  EXPECT_EQ(pull_all(queue), (std::vector<std::uint32_t>{1, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(queue.settle({.delivered = 8, .begun = 8}));
  const QueueCounters counters = queue.counters();
  EXPECT_EQ(counters.delivered, 11U);
  EXPECT_EQ(counters.rejected, 1U);
  EXPECT_EQ(counters.queued, 0U);
  EXPECT_EQ(queue.pinned_bytes(), 0U);
}

TEST(MemoryQueue, RejectsWhatAWorkerHoldsWhenItFails) {
  Events events;
  MemoryQueue queue(limits(100));
  queue.push(events.packets(4));
  const auto held = pull_some(queue, 4);
  queue.fail();
  EXPECT_EQ(queue.counters().rejected, 4U);
  EXPECT_EQ((*held[0])[0].sequence, 0U) << "a call that hangs may still read it";
  EXPECT_FALSE(queue.settle({.delivered = 4, .begun = 4})) << "each event is counted once";
  std::vector<const QueueEntry*> entries;
  EXPECT_FALSE(queue.pull(entries, {.enough = 1, .most = 1}, 0ms, MemoryQueue::Clock::now()));
  queue.let_go();
  EXPECT_EQ(queue.counters().rejected, 4U);
  EXPECT_EQ(queue.counters().delivered, 0U);
  EXPECT_EQ(queue.pinned_bytes(), 0U);
}

TEST(MemoryQueue, HoldsAReplayBackUntilTheWorkerMadeRoom) {
  Events events;
  MemoryQueue queue(limits(10));
  std::vector<const QueueEntry*> entries;
  std::atomic<int> pushed = 0;
  std::thread replay([&] {
    for (int i = 0; i < 20; ++i) {
      queue.push_when_room(events.packets(5));
      ++pushed;
    }
  });
  std::uint64_t taken = 0;
  while (taken < 100) {
    entries.clear();
    queue.pull(entries, {.enough = 1, .most = 1}, 0ms, MemoryQueue::Clock::now() + 10s);
    ASSERT_FALSE(entries.empty());
    for (const QueueEntry* entry : entries) {
      const std::size_t size = entry->size();
      taken += size;
      queue.settle({.delivered = size, .begun = size});
    }
  }
  replay.join();
  EXPECT_EQ(pushed, 20);
  EXPECT_EQ(queue.counters().overflowed, 0U);
  EXPECT_EQ(queue.counters().delivered, 100U);
}

TEST(MemoryQueue, BringsAReplayABatchThatIsLargerThanTheQueueInPieces) {
  Events events;
  MemoryQueue queue(limits(3));
  std::thread replay([&] { queue.push_when_room(events.packets(10)); });
  std::vector<std::uint32_t> sequences;
  while (sequences.size() < 10) {
    std::vector<const QueueEntry*> entries;
    queue.pull(entries, {.enough = 1, .most = 1}, 0ms, MemoryQueue::Clock::now() + 10s);
    ASSERT_FALSE(entries.empty());
    for (const QueueEntry* entry : entries) {
      for (std::size_t i = entry->begin; i < entry->end; ++i) sequences.push_back((*entry)[i].sequence);
      const std::size_t size = entry->size();
      queue.settle({.delivered = size, .begun = size});
    }
  }
  replay.join();
  EXPECT_EQ(sequences, (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(queue.counters().overflowed, 0U);
}

TEST(MemoryQueue, WakesAWorkerThatWaitsForMoreThanTheQueueHolds) {
  Events events;
  MemoryQueue queue(limits(10));
  std::vector<const QueueEntry*> entries;
  auto worker = std::async(std::launch::async, [&] {
    queue.pull(entries, {.enough = 100, .most = 100}, 1h, MemoryQueue::Clock::now() + 1h);
  });
  for (int i = 0; i < 3; ++i) queue.push(events.packets(5));
  worker.get();
  EXPECT_FALSE(entries.empty());
}

TEST(MemoryQueue, IsFullNoMoreOnceAllIsSettled) {
  Events events;
  MemoryQueue queue(limits(3));
  queue.push(events.packets(3));
  EXPECT_EQ(pull_some(queue, 3).size(), 1U);
  queue.push(events.packets(1));
  EXPECT_EQ(queue.counters().overflowed, 1U);
  queue.settle({.delivered = 3, .begun = 3});
  std::vector<const QueueEntry*> entries;
  const auto deadline = MemoryQueue::Clock::now() + 20ms;
  queue.pull(entries, {.enough = 1, .most = 1}, 0ms, deadline);
  EXPECT_TRUE(entries.empty());
  EXPECT_GE(MemoryQueue::Clock::now(), deadline) << "it gave up although there was room";
}

TEST(MemoryQueue, LetsAWaitingReplayGoWhenTheHostStops) {
  Events events;
  MemoryQueue queue(limits(5));
  queue.push(events.packets(5));
  std::thread replay([&] { queue.push_when_room(events.packets(1)); });
  queue.end_waiting();
  replay.join();
  EXPECT_EQ(queue.counters().overflowed, 0U) << "what was read is delivered, if there is time for it";
  EXPECT_EQ(queue.counters().queued, 6U);
}

TEST(MemoryQueue, BalancesWhilePushedAndPulledAtOnce) {
  Events events;
  MemoryQueue queue(limits(64));
  std::atomic<bool> done = false;
  std::thread worker([&] {
    std::vector<const QueueEntry*> entries;
    while (!done || queue.counters().queued != 0) {
      entries.clear();
      queue.pull(entries, {.enough = 16, .most = 16}, 0ms, MemoryQueue::Clock::now() + 1ms);
      for (const QueueEntry* entry : entries) {
        const std::size_t size = entry->size();
        queue.settle({.delivered = size, .begun = size});
      }
    }
  });
  for (int i = 0; i < 3000; ++i) {
    queue.push(events.packets(7));
    const QueueCounters c = queue.counters();
    EXPECT_EQ(c.published, c.delivered + c.overflowed + c.queued);
  }
  done = true;
  worker.join();
  EXPECT_EQ(queue.counters().published, 21000U);
  EXPECT_EQ(queue.pinned_bytes(), 0U);
}

}  // namespace
}  // namespace nfbus::host
