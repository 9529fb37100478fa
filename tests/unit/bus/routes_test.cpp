#include "bus/server/routes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

class RoutesTest : public testing::Test {
 protected:
  void subscribe(Client& client, std::string prefix) {
    client.subscriptions.push_back({.prefix = std::move(prefix), .form = 1, .match = nullptr});
    routes.update(client);
  }
  // "1:nft: 1:nft:drop: 2:": of each subscription found its client and its prefix.
  std::string found(std::string_view topic) {
    std::string out;
    for (const Routes::Receiver& receiver : routes.find(topic)) {
      out += (out.empty() ? "" : " ") + std::to_string(receiver.client->id) + ":" + receiver.subscription->prefix;
    }
    return out;
  }

  Client one{Descriptor(), 1, {}, 1};
  Client two{Descriptor(), 2, {}, 1};
  Client three{Descriptor(), 3, {}, 1};
  Routes routes;
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

TEST_F(RoutesTest, ListsEachPrefixOnceAndOnlyTheEmptyOneIfItIsThere) {
  EXPECT_TRUE(routes.prefixes().empty());
  subscribe(one, "b");
  subscribe(two, "a");
  subscribe(three, "b");
  EXPECT_EQ(routes.prefixes(), (std::vector<std::string>{"a", "b"}));
  subscribe(two, "");
  EXPECT_EQ(routes.prefixes(), std::vector<std::string>{""});
  routes.remove(two);
  EXPECT_EQ(routes.prefixes(), std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace nfbus::host
