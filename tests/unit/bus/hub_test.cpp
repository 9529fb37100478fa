#include "bus/server/hub.hpp"

#include "hub_fixture.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host::test {
namespace {

TEST_F(HubTest, GivesALineOfAPublisherToItselfOnceIfItSubscribed) {
  Client& client = subscriber("web:");
  subscribe(client, "web:a");
  publish(client, "web:a");
  serve_all();  // what went to the host's bus does not come back
  EXPECT_THAT(take_lines(client), ElementsAre(line("web:a") + '\n'));
}

TEST_F(HubTest, CountsALineOnceInMemoryHoweverManyWaitForIt) {
  Client& publisher = join();
  subscriber("web:");
  publish(publisher, "web:a");
  const std::size_t one_bytes = hub.waiting_bytes();
  for (int i = 0; i < 9; ++i) subscriber("web:");
  publish(publisher, "web:a");
  EXPECT_EQ(hub.waiting_bytes(), 2 * one_bytes);
  EXPECT_EQ(hub.counters().queued, 11U);
  for (const auto& client : clients) take_lines(*client);
  EXPECT_EQ(hub.waiting_bytes(), 0U);
}

TEST_F(HubTest, RendersAPacketOnceForAllWhoWantTheSameForm) {
  Client& first = subscriber("nft:");
  Client& second = subscriber("nft:");
  Client& other = subscriber("nft:", R"(,"format":"ulogd")");
  bus.publish(events.packets(1));
  serve_all();
  const auto text_of = [](Client& client) {
    iovec piece{};
    EXPECT_EQ(client.queue.gather({&piece, 1}, SIZE_MAX), 1U);
    return piece.iov_base;
  };
  EXPECT_EQ(text_of(first), text_of(second));
  EXPECT_NE(text_of(first), text_of(other));
}

TEST_F(HubTest, ServesPacketsWhoseTopicsWereNotInternedByTheirTexts) {
  Client& drops = subscriber("nft:drop:");
  const BatchRef batch = events.packets({"drop:a ", "lan:b ", "drop:c "});
  std::vector<Event> copies(batch->events().begin(), batch->events().end());
  std::vector<const Event*> pointers;
  for (Event& copy : copies) {
    copy.topic_id = 0;
    pointers.push_back(&copy);
  }
  bus.publish(copy_events(pointers));
  serve_all();
  EXPECT_THAT(take_lines(drops), ElementsAre(HasSubstr("nft:drop:a"), HasSubstr("nft:drop:c")));
}

TEST_F(HubTest, ServesPacketsInOrderInPiecesOfTheSizeAskedFor) {
  Client& client = subscriber("nft:", R"(,"format":"ulogd")");
  bus.publish(events.packets({"a", "b", "c"}));
  bus.publish(events.packets({"d"}));
  EXPECT_TRUE(hub.serve_bus(2));
  EXPECT_EQ(take_lines(client).size(), 2U);
  EXPECT_FALSE(hub.serve_bus(100));
  const std::vector<std::string> rest = take_lines(client);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(rest[0]).at("topic"), "nft:c");
  EXPECT_EQ(nlohmann::json::parse(rest[1]).at("topic"), "nft:d");
}

TEST_F(HubTest, CountsForEachClientOnceWhatTheBusHadToDropOfItsTopics) {
  Events large(4UL << 20U);
  Client& twice = subscriber("nft:a", R"(,"marker":true)");
  subscribe(twice, "nft:");
  Client& some = subscriber("nft:b");
  Client& none = subscriber("web:");
  constexpr std::uint64_t kBatches = 10;  // of 4 MiB, where 16 wait at most
  for (std::uint64_t i = 0; i < kBatches; ++i) bus.publish(large.packets({"a", "a", "b"}, 1UL << 20U));
  serve_all();
  const auto published = [](const Client& client) { return client.queue.counters().pushed; };
  EXPECT_EQ(published(twice), 3 * kBatches);
  EXPECT_EQ(published(some), kBatches);
  EXPECT_EQ(published(none), 0U);
  const std::uint64_t dropped_batches = some.queue.counters().overflowed;
  EXPECT_GT(dropped_batches, 0U);
  EXPECT_EQ(twice.queue.counters().overflowed, 3 * dropped_batches);
  expect_sums();
  hub.mark_loss(twice);
  const nlohmann::json marker = nlohmann::json::parse(take_lines(twice).front());
  EXPECT_EQ(marker.at("topic"), "nfbus:dropped");
  EXPECT_EQ(nlohmann::json::parse(marker.at("value").get<std::string>()).at("missed"), 3 * dropped_batches);
}

TEST_F(HubTest, RemembersWhatBecameOfTheLinesOfClientsThatLeft) {
  Client& publisher = join();
  Client& client = subscriber("web:");
  subscribe(client, "nft:", R"(,"match":{"prefix":"never"})");
  bus.publish(events.packets(3));
  serve_all();
  for (int i = 0; i < 5; ++i) publish(publisher, "web:a");
  EXPECT_EQ(hub.ready_count(), 1U);
  hub.leave(client);
  clients.pop_back();
  EXPECT_EQ(hub.ready_count(), 0U);
  EXPECT_EQ(hub.waiting_bytes(), 0U);
  EXPECT_EQ(hub.counters().filtered, 3U);
  EXPECT_EQ(hub.counters().left, 5U);
  EXPECT_EQ(hub.counters().queued, 0U);
  EXPECT_EQ(hub.counters().received.subscribed, 2U);
  publish(publisher, "web:a");
  bus.publish(events.packets(3));
  EXPECT_FALSE(hub.serve_bus(1000));
  EXPECT_EQ(hub.counters().published, 8U);
  expect_sums();
}

TEST_F(HubTest, RefusesMoreSubscriptionsThanAClientMayHaveAndKeepsThoseItHas) {
  Client& client = join();
  for (int i = 0; i < 300; ++i) subscribe(client, "web:" + std::to_string(i) + ":");
  EXPECT_EQ(client.received.subscribed, 256U);
  EXPECT_EQ(client.received.refused, 44U);
  Client& publisher = join();
  publish(publisher, "web:255:a");
  publish(publisher, "web:256:a");
  EXPECT_THAT(take_lines(client), ElementsAre(line("web:255:a") + '\n'));
}

TEST_F(HubTest, RefusesAWrongSubscriptionAsAWhole) {
  Client& client = subscriber("web:", R"(,"format":"packet","match":{"nonsense":1},"marker":true)");
  EXPECT_EQ(client.received.refused, 1U);
  EXPECT_FALSE(client.is_subscriber());
  EXPECT_FALSE(client.wants_marker);
  publish(client, "web:a");
  EXPECT_THAT(take_lines(client), IsEmpty());
}

TEST_F(HubTest, RefusesALineWhoseTopicReadersDisagreeAbout) {
  Client& listener = subscriber("");
  Client& publisher = join();
  hub.receive(publisher, R"({"topic":"nft:x","TOPIC":"web:y","value":"forged"})");
  hub.receive(publisher, R"({"topic":"web:y","value":"judged","Value":"forged"})");
  EXPECT_EQ(publisher.received.refused, 2U);
  EXPECT_THAT(take_lines(listener), IsEmpty());
}

TEST_F(HubTest, RefusesAMatchThatIsNestedTooDeepBeforeItReadsIt) {
  Client& client = join();
  const std::string deep = std::string(9990, '[') + std::string(9990, ']');
  subscribe(client, "nft:", R"(,"answer":true,"match":{"dport":)" + deep + "}");
  EXPECT_EQ(client.received.refused, 1U);
  EXPECT_THAT(take_lines(client), ElementsAre(HasSubstr("a match that is nested too deep")));
}

TEST_F(HubTest, DropsWhoSpeaksHttpAndNobodyElse) {
  EXPECT_FALSE(hub.receive(join(), "PRI * HTTP/2.0\r"));
  EXPECT_FALSE(hub.receive(join(), "GET /metrics HTTP/1.1\r"));
  Client& client = join();
  EXPECT_TRUE(hub.receive(client, "nonsense"));
  EXPECT_TRUE(hub.receive(client, "PRI * HTTP/2.0"));  // no preface: it is not the first line
  EXPECT_EQ(hub.counters().received.invalid, 4U);
}

TEST_F(HubTest, NamesAReadyClientOnceUntilItIsTakenOutAndNotWhileItIsBlocked) {
  Client& publisher = join();
  Client& client = subscriber("web:");
  Client& blocked = subscriber("web:");
  blocked.blocked = true;
  publish(publisher, "web:a");
  publish(publisher, "web:b");
  EXPECT_THAT(hub.take_ready(), ElementsAre(&client));
  EXPECT_THAT(hub.take_ready(), IsEmpty());
  publish(publisher, "web:c");
  EXPECT_THAT(hub.take_ready(), ElementsAre(&client));
  EXPECT_EQ(blocked.queue.counters().queued, 3U);
}

// All clients together may have 100 KiB of lines.
class FullHubTest : public HubTest {
 protected:
  static constexpr std::size_t kTotalBytes = 100UL << 10U;
  static constexpr std::size_t kLineBytes = 1000;
  FullHubTest() : HubTest(kTotalBytes) {}

  const std::string value = std::string(kLineBytes - line("web:a", "").size() - 1, 'y');
};

TEST_F(FullHubTest, DropsTheOldestOfTheClientForWhichMostWaits) {
  Client& publisher = join();
  Client& large = subscriber("web:large");
  Client& small = subscriber("web:small");
  for (int i = 0; i < 10; ++i) publish(publisher, "web:small", value);
  for (int i = 0; i < 200; ++i) publish(publisher, "web:large", value + std::to_string(i));
  EXPECT_LE(hub.waiting_bytes(), kTotalBytes);
  EXPECT_EQ(small.queue.counters().overflowed, 0U);
  EXPECT_EQ(take_lines(small).size(), 10U);
  const std::vector<std::string> rest = take_lines(large);
  EXPECT_EQ(rest.size() + large.queue.counters().overflowed, 200U);
  EXPECT_GE(rest.size(), 30U);  // no more goes than must
  EXPECT_THAT(rest.back(), HasSubstr(value + "199"));
  expect_sums();
}

TEST_F(FullHubTest, DropsNothingThatManyShareAsLongAsOneOfItFits) {
  Client& publisher = join();
  for (int i = 0; i < 50; ++i) subscriber("web:");
  for (int i = 0; i < 60; ++i) publish(publisher, "web:a", value);  // 60 KB, 3 MB were they not shared
  EXPECT_EQ(hub.counters().overflowed, 0U);
  EXPECT_EQ(hub.counters().queued, 50U * 60U);
  expect_sums();
}

TEST_F(FullHubTest, CountsThePlacesInTheQueuesOfManyWhoShareALine) {
  Client& publisher = join();
  for (int i = 0; i < 50; ++i) subscriber("web:");
  for (int i = 0; i < 500; ++i) publish(publisher, "web:a");  // 50 KB of lines, in 200 KB of places
  EXPECT_LE(hub.waiting_bytes(), kTotalBytes);
  EXPECT_GT(hub.counters().overflowed, 0U);
  EXPECT_GT(hub.counters().queued, 50U * 100U);
  for (const auto& client : clients) take_lines(*client);
  EXPECT_EQ(hub.waiting_bytes(), 0U);
  expect_sums();
}

TEST_F(FullHubTest, LetsGoOfAClientThatHoldsMostWhenNothingOfItCanBeDropped) {
  for (int i = 0; i < 4; ++i) {
    const std::string topic = "web:large" + std::to_string(i);
    Client& client = subscriber(topic);
    publish(client, topic, std::string(20'000, 'y'));
    client.queue.sent(1);  // the line has begun, and must be sent to its end
  }
  Client& publisher = join();
  for (int i = 0; i < 50; ++i) {
    const std::string topic = "web:small" + std::to_string(i) + ':';
    subscriber(topic);
    publish(publisher, topic, std::string(400, 'y'));
  }
  const std::vector<Client*> go = hub.take_too_large();
  ASSERT_EQ(go.size(), 1U);
  EXPECT_GT(go.front()->queue.queued_bytes(), 20'000U);
  EXPECT_LE(hub.waiting_bytes() - go.front()->queue.queued_bytes(), kTotalBytes);
  EXPECT_EQ(hub.counters().overflowed, 0U);
}

TEST_F(HubTest, LetsAClientMissWhatItsMatchesWouldTakeTooMuchTimeFor) {
  Client& publisher = join();
  const std::string long_topic = "web:" + std::string(100'000, 'a');
  Client& greedy = subscriber("web:", R"(,"match":{"topic":"*)" + std::string(2000, 'a') + R"(*b"})");
  Client& modest = subscriber("web:", R"(,"match":{"topic":"web:*"})");
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) publish(publisher, long_topic);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
  EXPECT_EQ(greedy.queue.counters().overflowed, 20U);
  EXPECT_EQ(modest.queue.counters().queued + modest.queue.counters().overflowed, 20U);
  publish(publisher, "web:b");
  EXPECT_EQ(take_lines(modest).back(), line("web:b") + '\n');
  expect_sums();
}

TEST_F(HubTest, GivesAnEventForWhoseMatchThereIsNoTimeToAPlainSubscriptionOfTheSameClient) {
  Client& publisher = join();
  const std::string long_topic = "web:" + std::string(100'000, 'a');
  Client& greedy = subscriber("web:", R"(,"match":{"topic":"*)" + std::string(2000, 'a') + R"(*b"})");
  subscribe(greedy, "web:a");
  for (int i = 0; i < 20; ++i) publish(publisher, long_topic);
  EXPECT_EQ(greedy.queue.counters().overflowed, 0U);
  EXPECT_EQ(take_lines(greedy).size(), 20U);
  expect_sums();
}

TEST_F(HubTest, CountsTheTopicsThatASubscriptionIsAboutAsWork) {
  Client& publisher = join();
  for (int i = 0; i < 4000; ++i) publish(publisher, "web:" + std::to_string(i));
  const std::uint64_t before = hub.work_ns();
  subscriber("web:");
  EXPECT_GT(hub.work_ns() - before, 4000U * 20U);
}

TEST_F(HubTest, BoundsThePrefixesAndTheMemoryOfSubscriptions) {
  Client& client = join();
  subscribe(client, std::string(1024, 'x'));
  subscribe(client, std::string(1025, 'x'));
  EXPECT_EQ(client.received.subscribed, 1U);
  EXPECT_EQ(client.received.refused, 1U);
  std::uint64_t refused = 0;
  for (int i = 0; i < 40; ++i) {
    Client& many = join();
    for (int k = 0; k < 256; ++k) subscribe(many, std::to_string(k) + std::string(1000, 'x'));
    refused += many.received.refused;
    EXPECT_GE(many.received.subscribed, 1U) << "the first one is always let in";
  }
  EXPECT_GT(refused, 0U);
}

}  // namespace
}  // namespace nfbus::host::test
