#include "bus/bus.hpp"

#include "make_events.hpp"
#include "subscribe.hpp"
#include "topics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host {
namespace {

using test::Events;
using test::subscribe;

constexpr QueueLimits kLimits{.events = 1000, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest};

// Of what waits in its queue.
std::vector<std::string> topics_of(Subscription& subscription) {
  std::vector<const QueueEntry*> entries;
  subscription.queue().pull(entries, {.enough = 1, .most = 1000}, std::chrono::milliseconds(0),
                            MemoryQueue::Clock::now());
  std::vector<std::string> topics;
  for (const QueueEntry* entry : entries) {
    for (std::size_t i = entry->begin; i < entry->end; ++i) topics.emplace_back(view((*entry)[i].topic));
  }
  return topics;
}

TEST(Bus, GivesASubscriberTheTopicsThatBeginWithItsPrefixes) {
  Events events;
  Bus bus;
  const auto drops = subscribe(bus, {.topics = test::topics({"nft:drop:"})}, kLimits);
  const auto exact = subscribe(bus, {.topics = test::topics({"nft:lan:in"})}, kLimits);
  const auto both = subscribe(bus, {.topics = test::topics({"nft:drop:input", "nft:lan:"})}, kLimits);
  const auto all = subscribe(bus, {}, kLimits);
  bus.publish(events.packets({"lan:in ", "drop:input ", "drop:mac ", "LAN:IN2 "}));
  EXPECT_EQ(drops->queue().counters().published, 2U);
  EXPECT_EQ(exact->queue().counters().published, 2U);  // a prefix match: lan:in2 too
  EXPECT_EQ(both->queue().counters().published, 3U);
  EXPECT_EQ(all->queue().counters().published, 4U);
}

TEST(Bus, IgnoresCaseAndBlanksOfPacketsTopicsAndKnowsStars) {
  Events events;
  Bus bus;
  const auto wanted = [&](std::string_view topic) {
    const auto subscriber = subscribe(bus, {.topics = test::topics({topic})}, kLimits);
    bus.publish(events.packets({"DROP:Input ", "lan:in "}));
    bus.remove(subscriber);
    return subscriber->queue().counters().published;
  };
  for (const std::string_view topic : {"nft:drop:input", "nft:Drop:", "NFT:DROP:", "nft: drop:input ", " nft:drop",
                                       "nft:*:input", "nft:*put", "*input", "nft:d*:"}) {
    EXPECT_EQ(wanted(topic), 1U) << topic;
  }
  for (const std::string_view topic : {"nft:", "NFT", "*", "nft:*:in", ""}) EXPECT_EQ(wanted(topic), 2U) << topic;
  for (const std::string_view topic : {"drop:", "nft:input", "nft:*:out", "nft:drop:inputs", "nft:drop:input*s"}) {
    EXPECT_EQ(wanted(topic), 0U) << topic;
  }
}

TEST(Bus, ComparesMessagesTopicsByteForByte) {
  Bus bus;
  const auto published = [&](std::string_view wanted, const char* topic) {
    const auto subscriber =
        subscribe(bus, {.topics = test::topics({wanted}), .kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE}, kLimits);
    bus.publish(make_message(topic, "{}", 0, 0));
    bus.remove(subscriber);
    return subscriber->queue().counters().published;
  };
  EXPECT_EQ(published("Web:", "Web:click"), 1U);
  EXPECT_EQ(published("Web:", "web:click"), 0U);
  EXPECT_EQ(published("web: ", "web:click"), 0U);
  EXPECT_EQ(published("*:cl", "web:click"), 1U);
  EXPECT_EQ(published("*:Cl", "web:click"), 0U);
}

TEST(Bus, KeepsMessagesFromThoseWhoDidNotNameTheirTopicOrTakeNone) {
  Bus bus;
  const auto packets = subscribe(bus, {.topics = test::topics({"dns:"})}, kLimits);
  const auto unnamed = subscribe(bus, {.topics = {}, .kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE}, kLimits);
  const auto named =
      subscribe(bus, {.topics = test::topics({"dns:"}), .kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE}, kLimits);
  bus.publish(make_message("dns:serve:x", "{}", 0, 0));
  EXPECT_EQ(packets->queue().counters().published, 0U);
  EXPECT_EQ(unnamed->queue().counters().published, 0U);
  EXPECT_EQ(named->queue().counters().published, 1U);
}

TEST(Bus, RoutesEachMessageOfABatchByItsOwnTopic) {
  constexpr std::uint32_t kBoth = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;
  Bus bus;
  const auto a = subscribe(bus, {.topics = test::topics({"a:"}), .kinds = kBoth}, kLimits);
  const auto b = subscribe(bus, {.topics = test::topics({"b:"}), .kinds = kBoth}, kLimits);
  const auto both = subscribe(bus, {.topics = test::topics({"a:", "b:"}), .kinds = kBoth}, kLimits);
  const auto none = subscribe(bus, {.topics = test::topics({"c:"}), .kinds = kBoth}, kLimits);
  const BatchRef first = make_message("a:1", "x", 0, 0);
  const BatchRef second = make_message("b:2", "y", 0, 0);
  const std::array<const Event*, 3> messages = {first->events().data(), second->events().data(),
                                                second->events().data()};
  bus.publish(copy_events(messages));
  EXPECT_EQ(topics_of(*a), (std::vector<std::string>{"a:1"}));
  EXPECT_EQ(topics_of(*b), (std::vector<std::string>{"b:2", "b:2"}));
  EXPECT_EQ(topics_of(*both), (std::vector<std::string>{"a:1", "b:2", "b:2"}));
  EXPECT_EQ(none->queue().counters().published, 0U);
}

// A source that hands over records of other hosts has topics of theirs.
TEST(Bus, RoutesPacketsWhoseTopicsWereNotInterned) {
  Events events;
  Bus bus;
  const auto drops = subscribe(bus, {.topics = test::topics({"nft:drop:"})}, kLimits);
  const BatchRef batch = events.packets({"drop:input ", "lan:in ", "drop:mac "});
  std::vector<Event> copies(batch->events().begin(), batch->events().end());
  std::vector<const Event*> pointers;
  for (Event& copy : copies) {
    copy.topic_id = 0;
    pointers.push_back(&copy);
  }
  bus.publish(copy_events(pointers));
  EXPECT_EQ(topics_of(*drops), (std::vector<std::string>{"nft:drop:input", "nft:drop:mac"}));
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

// Holds whoever offers to it until it is told to let go.
class Holding final : public Subscriber {
 public:
  void offer(const BatchRef& /*batch*/, bool /*wait_for_room*/) override {
    entered.set_value();
    go_.get_future().wait();
  }
  void end_waiting() override {}
  [[nodiscard]] bool wants_message(std::string_view /*topic*/) const override { return false; }
  void let_go() { go_.set_value(); }

  std::promise<void> entered;

 private:
  std::promise<void> go_;
};

TEST(Bus, WaitsForWhoeverMayStillOfferToTheOneThatLeavesAlsoByAnOlderList) {
  Events events;
  Bus bus;
  const auto holding = std::make_shared<Holding>();
  bus.add(holding);
  const auto leaves = subscribe(bus, {}, kLimits);
  auto publisher = std::async(std::launch::async, [&] { bus.publish(events.packets(1)); });
  holding->entered.get_future().wait();
  // The publisher reads a list that is not the newest when the subscriber leaves.
  const auto later = subscribe(bus, {}, kLimits);
  std::atomic<bool> let_go = false;
  auto leaving = std::async(std::launch::async, [&] {
    bus.remove(leaves);
    return let_go.load();
  });
  EXPECT_EQ(leaving.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  let_go = true;
  holding->let_go();
  EXPECT_TRUE(leaving.get());
  EXPECT_EQ(leaves->queue().counters().published, 1U);
  publisher.get();
}

TEST(Bus, TakesPacketsOfSeveralThreadsAtOnce) {
  constexpr std::size_t kBatches = 500;
  constexpr std::size_t kThreads = 3;
  std::array<Events, kThreads> events;  // each meets new topics all the time, and all the same ones
  Bus bus;
  const auto drops = subscribe(bus, {.topics = test::topics({"nft:drop"})},
                               {.events = 1UL << 20, .bytes = 1UL << 30, .overflow = Overflow::drop_oldest});
  std::vector<std::thread> publishers;
  for (Events& own : events) {
    publishers.emplace_back([&bus, &own] {
      for (std::size_t i = 0; i < kBatches; ++i) {
        bus.publish(own.packets({"drop" + std::to_string(i) + " ", "lan:" + std::to_string(i) + " "}));
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  EXPECT_EQ(drops->queue().counters().published, kThreads * kBatches);
  for (const std::string& topic : topics_of(*drops)) EXPECT_EQ(topic.rfind("nft:drop", 0), 0U) << topic;
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
