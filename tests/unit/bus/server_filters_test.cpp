// What a server's thread does for the filters that packets pass.
#include "bus/server/server.hpp"

#include "unix_socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host::test {
namespace {

using Clock = std::chrono::steady_clock;
using testing::HasSubstr;

// Wants ticks at the times that a test says, and tells of the calls.
class Told final : public PacketFilters {
 public:
  [[nodiscard]] bool any() const noexcept override { return true; }
  void apply(std::vector<const nfbus_event*>& /*packets*/) override {}
  void release() noexcept override {}
  [[nodiscard]] Clock::time_point next_tick() const noexcept override { return next.load(); }
  void tick(Clock::time_point now) override {
    EXPECT_LE(next.load(), now);
    next = ticks_left-- > 1 ? now + std::chrono::milliseconds(5) : Clock::time_point::max();
    if (ticks_left == 0) ticked.set_value();
  }
  void finish() override {
    ++finished;
    if (at_the_end) at_the_end();
  }

  std::atomic<Clock::time_point> next{Clock::time_point::max()};
  int ticks_left = 1;
  std::promise<void> ticked;
  std::atomic<int> finished{0};
  std::function<void()> at_the_end;
};

class ServerFilters : public testing::Test {
 protected:
  ServerFilters()
      : path_((std::filesystem::temp_directory_path() / ("nfbus-filters-" + std::to_string(::getpid()) + ".sock"))
                  .string()),
        server_(Listener::open(path_, {}).value(), bus_, formats_,
                ServerSettings{.hub = {.topic_root = "nft:",
                                       .default_format = kPacketFormat,
                                       .with_payload = false,
                                       .fields = {},
                                       .client_bytes = 1UL << 20U,
                                       .total_bytes = 1UL << 20U,
                                       .filters = &filters_},
                               .most_clients = 10},
                [](const ServerSnapshot&) { return std::string("{}"); }) {}

  void expect_ticked() {
    EXPECT_EQ(filters_.ticked.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  }

  const std::string path_;
  Told filters_;
  Bus bus_;
  const FormatSet formats_{"test"};
  Server server_;
};

TEST_F(ServerFilters, AreTickedInTimeThoughNoClientIsThere) {
  filters_.ticks_left = 4;
  filters_.next = Clock::now() + std::chrono::milliseconds(5);
  ASSERT_TRUE(server_.start().ok());
  expect_ticked();
}

TEST_F(ServerFilters, AreTickedWhenTheServerIsWoken) {
  ASSERT_TRUE(server_.start().ok());
  static_cast<void>(server_.snapshot());  // it has begun to wait
  filters_.next = Clock::time_point{};
  server_.wake();
  expect_ticked();
}

TEST_F(ServerFilters, FinishOnceAndClientsGetWhatTheyPublishThen) {
  filters_.at_the_end = [this] { bus_.publish(make_message("filter:end", "last words", 0, 0)); };
  ASSERT_TRUE(server_.start().ok());
  const Descriptor client = connect_to(path_);
  const std::string lines = "{\"topic\":\"subscribe:filter:\"}\n{\"topic\":\"subscribe:nfbus:status\"}\n";
  ASSERT_EQ(::send(client.get(), lines.data(), lines.size(), MSG_NOSIGNAL), static_cast<ssize_t>(lines.size()));
  std::array<char, 4096> got{};
  ASSERT_GT(::recv(client.get(), got.data(), got.size(), 0), 0) << "the status: the subscriptions are in effect";
  EXPECT_TRUE(server_.stop(Clock::now() + std::chrono::seconds(10)));
  EXPECT_EQ(filters_.finished, 1);
  std::string all;
  for (ssize_t size = 0; (size = ::recv(client.get(), got.data(), got.size(), 0)) > 0;) {
    all.append(got.data(), static_cast<std::size_t>(size));
  }
  EXPECT_THAT(all, HasSubstr("last words"));
}

}  // namespace
}  // namespace nfbus::host::test
