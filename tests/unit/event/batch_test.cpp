#include "event/batch.hpp"

#include "make_events.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace nfbus::host {
namespace {

using test::Events;

TEST(Batch, CountsItsTopicsWhenFrozen) {
  Events events;
  const BatchRef batch = events.packets({"lan:in ", "drop:input ", "lan:in ", "lan:in "});
  ASSERT_EQ(batch->topics().size(), 2U);
  EXPECT_EQ(batch->topics()[0].topic, "nft:lan:in");
  EXPECT_EQ(batch->topics()[0].events, 3U);
  EXPECT_EQ(batch->topics()[1].topic, "nft:drop:input");
  EXPECT_EQ(batch->topics()[1].events, 1U);
}

TEST(Batch, DropsWhatAFilterJudgedAndKeepsTheOrder) {
  Events events;
  const BatchRef batch = events.batches().take();
  batch->reserve_events(events.writer(), 4);
  for (std::uint32_t i = 0; i < 4; ++i) batch->add_event().sequence = i;
  batch->remove_dropped(std::vector<std::uint8_t>{NFBUS_KEEP, NFBUS_DROP, NFBUS_DROP, NFBUS_KEEP});
  batch->freeze();
  ASSERT_EQ(batch->events().size(), 2U);
  EXPECT_EQ(batch->events()[0].sequence, 0U);
  EXPECT_EQ(batch->events()[1].sequence, 3U);
  EXPECT_EQ(batch->events()[1].index, 1U);
}

TEST(Batch, GoesOnInAFreshSlabWhenTheFirstIsFull) {
  Events events(4096);
  const BatchRef batch = events.batches().take();
  (void)batch->allocate(events.writer(), 4000);
  batch->reserve_events(events.writer(), 8);
  EXPECT_EQ(batch->slabs().size(), 2U);
}

TEST(Batch, TakesASlabOfItsOwnForWhatIsLargerThanOne) {
  Events events(4096);
  const BatchRef batch = events.batches().take();
  const auto room = batch->allocate(events.writer(), 100'000);
  EXPECT_EQ(room.size(), 100'000U);
  room.back() = 1;
}

TEST(Batch, GivesItsSlabBackWithItsLastReference) {
  Events events(4096);
  BatchRef first = events.packets(1, "a", 3000);
  const Slab* slab = first->slabs().front().get();
  BatchRef second = events.packets(1, "a", 3000);  // needs a slab of its own
  EXPECT_NE(second->slabs().front().get(), slab);
  const BatchRef copy = first;
  first.reset();
  (void)events.packets(1, "a", 3000);
  EXPECT_EQ(copy->slabs().front().get(), slab) << "a slab in use was handed out again";
}

TEST(SlabWriter, FillsTheSlabAnewThatNobodyElseHolds) {
  Events events(4096);
  const Slab* const first = events.packets(1, "a", 3000)->slabs().front().get();
  const BatchRef second = events.packets(1, "a", 3000);
  EXPECT_EQ(second->slabs().front().get(), first);
  EXPECT_NE(events.packets(1, "a", 3000)->slabs().front().get(), first) << "a slab in use was filled anew";
}

TEST(Batch, FreezesWhatIsCompleteAndLeavesTheRest) {
  Events events;
  const BatchRef batch = events.batches().take();
  batch->reserve_events(events.writer(), 3);
  batch->add_event().topic_id = 7;
  batch->freeze_next();
  EXPECT_EQ(batch->events()[0].batch, batch.get());
  batch->add_event().topic_id = 8;
  batch->remove_last();
  EXPECT_EQ(batch->add_event().topic_id, 0U) << "what was there before is gone";
  EXPECT_EQ(batch->events()[1].batch, nullptr);
  batch->freeze();
  EXPECT_EQ(batch->events()[1].index, 1U);
  ASSERT_EQ(batch->topics().size(), 2U);
  EXPECT_EQ(batch->topics()[0].topic_id, 7U);
}

// As they come out of a disk queue or from another machine.
TEST(Batch, CountsTopicsThatAreNotInternedByTheirTexts) {
  const BatchRef a = make_message("a:1", "x", 0, 0);
  const BatchRef b = make_message("b:2", "y", 0, 0);
  const std::array<const Event*, 3> events = {a->events().data(), b->events().data(), a->events().data()};
  const BatchRef batch = copy_events(events);
  ASSERT_EQ(batch->topics().size(), 2U);
  EXPECT_EQ(batch->topics()[0].topic, "a:1");
  EXPECT_EQ(batch->topics()[0].events, 2U);
  EXPECT_EQ(batch->topics()[1].topic, "b:2");
  EXPECT_EQ(batch->topics()[1].events, 1U);
}

TEST(CopyEvents, CopiesAllThatAnEventPointsToAndRebasesWhatLiesInItsRecord) {
  Events events;
  BatchRef batch = events.packets({"lan:in ", "drop:input "});
  nfbus_field field{.name = text("rule"), .value = text("r1"), .type = NFBUS_VALUE_TEXT, .reserved = 0};
  batch->mutable_events()[1].fields = &field;
  batch->mutable_events()[1].field_count = 1;
  const Event* const wanted = &batch->events()[1];
  const std::vector<std::uint8_t> record(wanted->record.data, wanted->record.data + wanted->record.size);
  const BatchRef copy = copy_events({&wanted, 1});
  batch.reset();

  ASSERT_EQ(copy->events().size(), 1U);
  const Event& event = copy->events()[0];
  EXPECT_EQ(std::vector<std::uint8_t>(event.record.data, event.record.data + event.record.size), record);
  EXPECT_EQ(event.payload.data - event.record.data, 50);
  EXPECT_EQ(view(event.topic), "nft:drop:input");
  EXPECT_EQ(view(event.prefix), "drop:input ");
  ASSERT_EQ(event.field_count, 1U);
  EXPECT_EQ(view(event.fields[0].name), "rule");
  EXPECT_EQ(view(event.fields[0].value), "r1");
  EXPECT_EQ(event.batch, copy.get());
  EXPECT_EQ(event.origin, &event);
}

TEST(CopyEvents, OfNothingIsAnEmptyBatch) { EXPECT_TRUE(copy_events({})->events().empty()); }

TEST(MakeMessage, KeepsTopicTextTimeAndPeer) {
  const BatchRef batch = make_message("dns:serve:10.0.0.1", R"({"Q":[]})", 42, 1000);
  ASSERT_EQ(batch->events().size(), 1U);
  const Event& event = batch->events()[0];
  EXPECT_EQ(batch->kind(), NFBUS_EVENT_MESSAGE);
  EXPECT_EQ(view(event.topic), "dns:serve:10.0.0.1");
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(event.payload.data), event.payload.size), R"({"Q":[]})");
  EXPECT_EQ(event.time_ns, 42);
  EXPECT_EQ(event.uid, 1000U);
}

TEST(TextCache, GivesEveryThreadTheSameTextOfAnEvent) {
  TextCache cache;
  constexpr std::size_t kEvents = 2000;
  constexpr std::size_t kThreads = 4;
  std::vector<std::vector<const char*>> seen(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&cache, &mine = seen[t]] {
      for (std::size_t i = 0; i < kEvents; ++i) {
        std::string_view found = cache.find(1, i);
        if (found.data() == nullptr) found = cache.insert(1, i, kEvents, "text " + std::to_string(i));
        EXPECT_EQ(found, "text " + std::to_string(i));
        mine.push_back(found.data());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 1; t < kThreads; ++t) EXPECT_EQ(seen[t], seen[0]);
}

TEST(TextCache, OfALoneEventHoldsLittleMoreThanItsText) {
  TextCache cache;
  (void)cache.insert(1, 0, 1, std::string(300, 'x'));
  EXPECT_LE(cache.size_bytes(), 400U);
}

}  // namespace
}  // namespace nfbus::host
