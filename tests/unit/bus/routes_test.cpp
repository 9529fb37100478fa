#include "bus/server/routes.hpp"

#include <gtest/gtest.h>

#include <malloc.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

class RoutesTest : public testing::Test {
 protected:
  void subscribe(Client& client, std::string prefix) {
    const auto number = static_cast<std::uint32_t>(client.subscriptions.size());
    client.subscriptions.push_back({.number = number, .prefix = std::move(prefix), .form = 1, .match = nullptr});
    if (routes.add(client, client.subscriptions.back()).is_first) fresh.push_back(client.subscriptions.back().prefix);
  }
  // "1:nft: 1:nft:drop: 2:": of each subscription found its client and its prefix.
  std::string found(std::string_view topic) {
    std::string out;
    for (const Routes::Receiver& receiver : routes.find(topic)) {
      out += (out.empty() ? "" : " ") + std::to_string(receiver.client->id) + ":" + receiver.subscription->prefix;
    }
    return out;
  }

  LineStore store;
  Client one{Descriptor(), 1, {}, 1, store};
  Client two{Descriptor(), 2, {}, 1, store};
  Client three{Descriptor(), 3, {}, 1, store};
  Routes routes;
  std::vector<std::string> fresh;  // prefixes that nobody had subscribed to before
};

TEST_F(RoutesTest, FindsExactlyTheSubscriptionsWhosePrefixFits) {
  subscribe(one, "nft:drop:");
  subscribe(two, "nft:");
  subscribe(three, "");
  EXPECT_EQ(found("nft:drop:input"), "1:nft:drop: 2:nft: 3:");
  EXPECT_EQ(found("nft:drop:"), "1:nft:drop: 2:nft: 3:");
  EXPECT_EQ(found("nft:drop"), "2:nft: 3:");
  EXPECT_EQ(found("NFT:drop:"), "3:");
  EXPECT_EQ(found(""), "3:");
}

TEST_F(RoutesTest, KeepsTheSubscriptionsOfOneClientSideBySide) {
  subscribe(one, "a:");
  subscribe(two, "a");
  subscribe(one, "");
  subscribe(one, "b");
  EXPECT_EQ(found("a:x"), "1:a: 1: 2:a");
}

TEST_F(RoutesTest, FollowsSubscriptionsThatComeAndClientsThatGo) {
  EXPECT_EQ(found("a"), "");
  subscribe(one, "a");
  EXPECT_EQ(found("a"), "1:a");
  subscribe(two, "b");
  EXPECT_EQ(found("a"), "1:a");
  subscribe(two, "a");
  EXPECT_EQ(found("a"), "1:a 2:a");
  routes.remove(one);
  EXPECT_EQ(found("a"), "2:a");
  routes.remove(one);
  routes.remove(two);
  EXPECT_EQ(found("a"), "");
}

TEST_F(RoutesTest, StaysRightWithMoreTopicsThanItRemembers) {
  subscribe(one, "even:");
  subscribe(two, "");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10'000; ++i) {
      const std::string topic = (i % 2 == 0 ? "even:" : "odd:") + std::to_string(i);
      ASSERT_EQ(found(topic), i % 2 == 0 ? "1:even: 2:" : "2:") << topic;
    }
  }
}

TEST_F(RoutesTest, SaysHowManyTopicsASubscriptionIsAbout) {
  for (int i = 0; i < 100; ++i) (void)routes.find((i % 4 == 0 ? "a:" : "b:") + std::to_string(i));
  const auto topics_of = [&](std::string prefix) {
    one.subscriptions.push_back({.number = 0, .prefix = std::move(prefix), .form = 1, .match = nullptr});
    return routes.add(one, one.subscriptions.back()).topics;
  };
  EXPECT_EQ(topics_of("a:"), 25U);
  EXPECT_EQ(topics_of("b:1"), 9U);  // 1, and of 10 to 19 those that 4 does not divide
  EXPECT_EQ(topics_of(""), 100U);
  EXPECT_EQ(topics_of("c:"), 0U);
}

// Each of so many clients wants each of so many topics, often.
class CrowdedRoutesTest : public testing::Test {
 protected:
  static constexpr int kClients = 16;
  static constexpr int kSubscriptions = 128;
  static constexpr int kTopics = 4000;

  CrowdedRoutesTest() {
    for (int i = 0; i < kTopics; ++i) (void)routes.find("t:" + std::to_string(i));
    for (std::uint64_t id = 1; id <= kClients; ++id) {
      Client& client = *clients.emplace_back(std::make_unique<Client>(Descriptor(), id, Peer(), 1, store));
      for (std::uint32_t number = 0; number < kSubscriptions; ++number) {
        client.subscriptions.push_back({.number = number, .prefix = "t:", .form = 1, .match = nullptr});
        routes.add(client, client.subscriptions.back());
      }
    }
  }

  const std::size_t memory_before = ::mallinfo2().uordblks;
  LineStore store;
  std::vector<std::unique_ptr<Client>> clients;
  Routes routes;
};

TEST_F(CrowdedRoutesTest, TakeNoMoreMemoryThanIsBoundedWhoeverSubscribesAfterTheTopicsAreKnown) {
  EXPECT_LT(::mallinfo2().uordblks - memory_before, 48UL << 20U);  // 130 MB, were each kept
  EXPECT_EQ(routes.find("t:1").size(), static_cast<std::size_t>(kClients * kSubscriptions));
}

TEST_F(CrowdedRoutesTest, AreLeftByManyAtOnceInLittleTime) {
  for (int i = 0; i < kTopics; ++i) (void)routes.find("t:" + std::to_string(i));
  const std::clock_t begun = std::clock();
  for (const auto& client : clients) routes.remove(*client);
  EXPECT_LT(std::clock() - begun, CLOCKS_PER_SEC / 10);
  EXPECT_TRUE(routes.find("t:1").empty());
}

TEST_F(RoutesTest, SaysWhenAPrefixIsTheFirstOfItsKindAndWhenTheLastOneIsGone) {
  subscribe(one, "b");
  subscribe(two, "a");
  subscribe(three, "b");
  subscribe(three, "b");
  EXPECT_EQ(fresh, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(routes.remove(one).empty());
  EXPECT_EQ(routes.remove(three), std::vector<std::string>{"b"});
  EXPECT_EQ(routes.remove(two), std::vector<std::string>{"a"});
}

TEST_F(RoutesTest, FindsWhatALookAtEachWouldFind) {
  std::mt19937 random(1);
  const auto text = [&] {
    std::string made;
    for (auto left = std::uniform_int_distribution(0, 6)(random); left != 0; --left) made += "ab:"[random() % 3];
    return made;
  };
  for (int round = 0; round < 2000; ++round) {
    Client& client = round % 3 == 0 ? one : round % 3 == 1 ? two : three;
    if (random() % 50 == 0) {
      routes.remove(client);
      client.subscriptions.clear();
    } else {
      subscribe(client, text());
    }
    const std::string topic = text();
    std::string expected;
    for (const Client* each : {&one, &two, &three}) {
      for (const ClientSubscription& subscription : each->subscriptions) {
        if (!topic.starts_with(subscription.prefix)) continue;
        expected += (expected.empty() ? "" : " ") + std::to_string(each->id) + ":" + subscription.prefix;
      }
    }
    ASSERT_EQ(found(topic), expected) << "for " << topic << " in round " << round;
  }
}

}  // namespace
}  // namespace nfbus::host
