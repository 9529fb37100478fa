#include "bus/bus.hpp"

#include "../make_events.hpp"
#include "../subscribe.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace nfbus::host {
namespace {

using test::Events;
using test::subscribe;

constexpr QueueLimits kLimits{.events = 1000, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest};

TEST(Bus, GivesASubscriberTheTopicsThatBeginWithItsPrefixes) {
  Events events;
  Bus bus;
  const auto drops = subscribe(bus, {.topics = {"nft:drop:"}}, kLimits);
  const auto exact = subscribe(bus, {.topics = {"nft:lan:in"}}, kLimits);
  const auto both = subscribe(bus, {.topics = {"nft:drop:input", "nft:lan:"}}, kLimits);
  const auto all = subscribe(bus, {}, kLimits);
  bus.publish(events.packets({"lan:in ", "drop:input ", "drop:mac ", "LAN:IN2 "}));
  EXPECT_EQ(drops->queue().counters().published, 2U);
  EXPECT_EQ(exact->queue().counters().published, 2U);  // a prefix match: lan:in2 too
  EXPECT_EQ(both->queue().counters().published, 3U);
  EXPECT_EQ(all->queue().counters().published, 4U);
}

TEST(Bus, MatchesTopicsByteForByte) {
  Events events;
  Bus bus;
  const auto upper = subscribe(bus, {.topics = {"NFT:LAN"}}, kLimits);
  bus.publish(events.packets(1));
  EXPECT_EQ(upper->queue().counters().published, 0U);
}

TEST(Bus, KeepsMessagesFromThoseWhoDidNotNameTheirTopicOrTakeNone) {
  Bus bus;
  const auto packets = subscribe(bus, {.topics = {"dns:"}}, kLimits);
  const auto unnamed = subscribe(bus, {.topics = {}, .kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE}, kLimits);
  const auto named = subscribe(bus, {.topics = {"dns:"}, .kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE}, kLimits);
  bus.publish(make_message("dns:serve:x", "{}", 0, 0));
  EXPECT_EQ(packets->queue().counters().published, 0U);
  EXPECT_EQ(unnamed->queue().counters().published, 0U);
  EXPECT_EQ(named->queue().counters().published, 1U);
}

TEST(Bus, ForgetsASubscriberThatLeft) {
  Events events;
  Bus bus;
  const auto left = subscribe(bus, {}, kLimits);
  const auto stays = subscribe(bus, {}, kLimits);
  bus.remove(left);
  bus.publish(events.packets(2));
  EXPECT_EQ(left->queue().counters().published, 0U);
  EXPECT_EQ(stays->queue().counters().published, 2U);
}

TEST(Bus, HandsEachEventToOneOfTwoWhenOneReplacesTheOther) {
  constexpr std::size_t kBatches = 2000;
  Events events;  // outlives the queues
  Bus bus;
  auto current = subscribe(bus, {}, {.events = 2 * kBatches, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest});
  std::thread publisher([&] {
    for (std::size_t i = 0; i < kBatches; ++i) bus.publish(events.packets(1));
  });
  std::uint64_t seen = 0;
  for (int i = 0; i < 100; ++i) {
    const auto fresh = std::make_shared<Subscription>(
        Interest{}, QueueLimits{.events = 2 * kBatches, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest});
    bus.replace(current, fresh);
    seen += current->queue().counters().published;  // nothing can reach it any more
    current = fresh;
  }
  publisher.join();
  EXPECT_EQ(seen + current->queue().counters().published, kBatches);
}

TEST(Bus, KeepsAFullQueueFromDelayingTheOthers) {
  Events events;
  Bus bus;
  const auto small = subscribe(bus, {}, {.events = 1, .bytes = 1UL << 30, .overflow = Overflow::drop_newest});
  const auto large = subscribe(bus, {}, kLimits);
  bus.publish(events.packets(10));
  EXPECT_EQ(small->queue().counters().overflowed, 9U);
  EXPECT_EQ(large->queue().counters().queued, 10U);
}

}  // namespace
}  // namespace nfbus::host
