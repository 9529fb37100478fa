#include "bus/server/hub.hpp"

#include "../make_events.hpp"
#include "../take_lines.hpp"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {
namespace {

using test::Events;
using test::take_lines;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kPlenty = 1UL << 30U;

class HubTest : public testing::Test {
 protected:
  explicit HubTest(std::size_t total_bytes = kPlenty)
      : hub(bus, formats,
            {.topic_root = "nft:",
             .default_form = formats.find("packet"),
             .packet_form = formats.find("packet"),
             .fields = {},
             .client_bytes = kPlenty,
             .total_bytes = total_bytes},
            [] { return std::string("{}"); }) {}
  ~HubTest() override {
    for (const auto& client : clients) hub.leave(*client);
  }

  Client& join() {
    clients.push_back(std::make_unique<Client>(Descriptor(), clients.size() + 1, Peer(), kPlenty, hub.store()));
    hub.join(*clients.back());
    return *clients.back();
  }
  Client& subscriber(const std::string& prefix, const std::string& more = {}) {
    Client& client = join();
    subscribe(client, prefix, more);
    return client;
  }
  void subscribe(Client& client, const std::string& prefix, const std::string& more = {}) {
    hub.receive(client, R"({"topic":"subscribe:)" + prefix + '"' + more + '}');
  }
  void publish(Client& client, const std::string& topic, const std::string& value = "x") {
    hub.receive(client, line(topic, value));
  }
  static std::string line(const std::string& topic, const std::string& value = "x") {
    return R"({"topic":")" + topic + R"(","value":")" + value + R"("})";
  }
  void serve_all() {
    while (hub.serve_bus(1000)) {
    }
  }
  // Nothing is lost without a count: of each client, and of all that ever were.
  void expect_sums() const {
    for (const ClientSnapshot& c : hub.snapshots()) {
      EXPECT_EQ(c.published, c.delivered + c.filtered + c.overflowed + c.queued) << c.id;
    }
    const HubCounters t = hub.counters();
    EXPECT_EQ(t.published, t.delivered + t.filtered + t.overflowed + t.queued + t.left);
  }

  Events events;
  Bus bus;
  const FormatSet formats{"test"};
  Hub hub;
  std::vector<std::unique_ptr<Client>> clients;
};

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

class AnswersTest : public HubTest {
 protected:
  // What a client gets for a line, if it gets one line: the value of nfbus:answer.
  nlohmann::json answer_to(Client& client, const std::string& line) {
    hub.receive(client, line);
    const std::vector<std::string> lines = take_lines(client);
    if (lines.size() != 1) return nullptr;
    const auto event = nlohmann::json::parse(lines.front());
    return event.at("topic") == "nfbus:answer" ? nlohmann::json::parse(event.at("value").get<std::string>()) : event;
  }
  std::string error_of(const std::string& line) {
    const nlohmann::json answer = answer_to(join(), line);
    if (!answer.is_object() || answer.value("ok", true)) return "ACCEPTED " + answer.dump();
    return answer.at("error").get<std::string>();
  }
};

TEST_F(AnswersTest, SaysThatALineWasTaken) {
  const nlohmann::json ok = {{"ok", true}};
  EXPECT_EQ(answer_to(join(), R"({"topic":"web:a","value":"x","answer":true})"), ok);
  EXPECT_EQ(answer_to(join(), R"({"topic":"subscribe:web:","answer":true})"), ok);
}

TEST_F(AnswersTest, SaysWhyALineWasNotTaken) {
  EXPECT_THAT(error_of(R"({"topic":"nft:x","answer":true})"), AllOf(HasSubstr("\"nft:\""), HasSubstr("topic_root")));
  EXPECT_THAT(error_of(R"({"topic":"nfbus:status","answer":true})"), HasSubstr("\"nfbus:\""));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","match":{"dport":"x"},"answer":true})"), HasSubstr("dport"));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","format":"xml","answer":true})"), HasSubstr("\"xml\""));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","format":1,"answer":true})"), HasSubstr("no format 1"));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","marker":1,"answer":true})"), HasSubstr("marker"));
  EXPECT_THAT(error_of(R"({"topic":"a","value":1,"answer":true})"), HasSubstr("value is no string"));
  EXPECT_THAT(error_of(R"({"topic":1,"value":"x","answer":true})"), HasSubstr("topic is no string"));
  EXPECT_THAT(error_of(R"({"topic":"a","Topic":"b","answer":true})"), HasSubstr("more than one \"topic\""));
}

TEST_F(AnswersTest, SaysWhenThereAreTooManySubscriptions) {
  Client& client = join();
  for (int i = 0; i < 256; ++i) subscribe(client, std::to_string(i));
  const nlohmann::json answer = answer_to(client, R"({"topic":"subscribe:more","answer":true})");
  EXPECT_EQ(answer.value("error", ""), "too many subscriptions");
}

TEST_F(AnswersTest, GivesNoneToThoseWhoDoNotAsk) {
  Client& client = join();
  Client& everything = subscriber("");
  for (const char* text : {R"({"topic":"web:a"})", R"({"topic":"nft:a"})", R"({"topic":"subscribe:","match":1})", "{",
                           R"({"topic":"a","value":1})", R"({"topic":"a","answer":false})"}) {
    hub.receive(client, text);
  }
  EXPECT_THAT(take_lines(client), IsEmpty());
  take_lines(everything);
  EXPECT_EQ(answer_to(client, R"({"topic":"web:a","answer":true})").value("ok", false), true);
  EXPECT_THAT(take_lines(everything), ElementsAre("{\"topic\":\"web:a\",\"answer\":true}\n"));
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
}  // namespace nfbus::host
