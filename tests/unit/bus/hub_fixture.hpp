// A hub with clients that have no sockets.
#pragma once

#include "bus/server/hub.hpp"

#include "make_events.hpp"
#include "take_lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nfbus::host::test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

inline constexpr std::size_t kPlenty = 1UL << 30U;

class HubTest : public testing::Test {
 protected:
  explicit HubTest(std::size_t total_bytes = kPlenty)
      : hub(bus, formats,
            {.topic_root = "nft:",
             .default_format = kPacketFormat,
             .with_payload = false,
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

}  // namespace nfbus::host::test
