#include "hub_fixture.hpp"

#include <memory>
#include <string>
#include <vector>

namespace nfbus::host::test {
namespace {

// Drops each second packet, gives the others another topic if it has one, and remembers what it was asked.
class Halving final : public PacketFilters {
 public:
  [[nodiscard]] bool any() const noexcept override { return on; }
  void apply(std::vector<const nfbus_event*>& packets) override {
    seen += packets.size();
    std::erase_if(packets, [&](const nfbus_event* packet) { return packet->sequence % 2 == 1; });
    if (topic.empty()) return;
    for (const nfbus_event*& packet : packets) {
      changed.push_back(std::make_unique<Event>(host_event(*packet)));
      changed.back()->topic = text(topic);
      changed.back()->topic_id = 0;
      changed.back()->is_changed = true;
      packet = changed.back().get();
    }
  }
  void release() noexcept override { changed.clear(); }
  [[nodiscard]] Clock::time_point next_tick() const noexcept override { return Clock::time_point::max(); }
  void tick(Clock::time_point /*now*/) override {}
  void finish() override {}

  bool on = true;
  std::string topic;
  std::size_t seen = 0;
  std::vector<std::unique_ptr<Event>> changed;
};

class HubFilters : public testing::Test {
 protected:
  HubFilters()
      : hub_(bus_, formats_,
             {.topic_root = "nft:",
              .default_format = kPacketFormat,
              .with_payload = false,
              .fields = {},
              .client_bytes = kPlenty,
              .total_bytes = kPlenty,
              .filters = &filters_},
             [] { return std::string("{}"); }) {}
  ~HubFilters() override {
    for (const auto& client : clients_) hub_.leave(*client);
  }
  Client& subscriber(const std::string& prefix) {
    clients_.push_back(std::make_unique<Client>(Descriptor(), clients_.size() + 1, Peer(), kPlenty, hub_.store()));
    hub_.join(*clients_.back());
    hub_.receive(*clients_.back(), R"({"topic":"subscribe:)" + prefix + R"("})");
    return *clients_.back();
  }
  void publish(const BatchRef& batch) {
    bus_.publish(batch);
    while (hub_.serve_bus(1000)) {
    }
  }

  Events events_;
  Bus bus_;
  const FormatSet formats_{"test"};
  Halving filters_;
  Hub hub_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(HubFilters, KeepPacketsFromEveryClientAndCountEachOnce) {
  Client& one = subscriber("nft:");
  Client& two = subscriber("nft:lan:");
  publish(events_.packets(100));
  EXPECT_EQ(take_lines(one).size(), 50U);
  EXPECT_EQ(take_lines(two).size(), 50U);
  EXPECT_EQ(filters_.seen, 100U);
  EXPECT_EQ(hub_.counters().kept_back, 50U);
  EXPECT_EQ(hub_.counters().filtered, 0U);
  EXPECT_TRUE(filters_.changed.empty());
}

TEST_F(HubFilters, SeeNothingThatNobodyWants) {
  Client& client = subscriber("nft:drop:");
  publish(events_.packets({"lan:in ", "lan:in ", "drop:in ", "lan:in "}));
  EXPECT_EQ(filters_.seen, 1U);
  EXPECT_EQ(take_lines(client).size(), 1U);
  EXPECT_EQ(hub_.counters().kept_back, 0U);
}

TEST_F(HubFilters, AreNotAskedWhereThereAreNone) {
  filters_.on = false;
  Client& client = subscriber("nft:");
  publish(events_.packets(10));
  EXPECT_EQ(filters_.seen, 0U);
  EXPECT_EQ(take_lines(client).size(), 10U);
}

TEST_F(HubFilters, NeverSeeMessages) {
  Client& client = subscriber("web:");
  hub_.receive(client, R"({"topic":"web:click","value":"x"})");
  publish(make_message("web:other", "y", 0, 0));
  EXPECT_EQ(take_lines(client).size(), 2U);
  EXPECT_EQ(filters_.seen, 0U);
}

TEST_F(HubFilters, MayGiveATopicWhichThenDecidesWhoGetsThePacket) {
  filters_.topic = "nft:quiet:in";
  Client& all = subscriber("nft:");
  Client& lan = subscriber("nft:lan:");
  Client& quiet = subscriber("nft:quiet:");
  publish(events_.packets(2));
  const auto lines = take_lines(all);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines.front(), HasSubstr(R"("topic":"nft:quiet:in")"));
  EXPECT_THAT(take_lines(lan), IsEmpty());
  EXPECT_EQ(take_lines(quiet).size(), 1U);
}

}  // namespace
}  // namespace nfbus::host::test
