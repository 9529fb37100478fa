#include "bus/server/server.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <utility>

namespace nfbus::host {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Descriptor connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return client;
}

// A server whose thread hangs while it makes the first status, until it is let go.
class HangingServer : public testing::Test {
 protected:
  HangingServer()
      : path((std::filesystem::temp_directory_path() / ("nfbus-server-" + std::to_string(::getpid()) + ".sock"))
                 .string()),
        server(Listener::open(path, {}).value(), bus, formats,
               ServerSettings{.hub = {.topic_root = "nft:",
                                      .default_form = formats.find("packet"),
                                      .packet_form = formats.find("packet"),
                                      .fields = {},
                                      .client_bytes = 1UL << 20U,
                                      .total_bytes = 1UL << 20U},
                              .most_clients = 10},
               [this](const ServerSnapshot&) {
                 if (std::exchange(hung, true)) return std::string("{}");
                 hangs.set_value();
                 go_on.get_future().wait();
                 return std::string("{}");
               }) {}

  const std::string path;
  Bus bus;
  const FormatSet formats{"test"};
  bool hung = false;  // the server's thread's
  std::promise<void> hangs, go_on;
  Server server;
};

TEST_F(HangingServer, IsNotWaitedForByReportsNorByTheStop) {
  ASSERT_TRUE(server.start().ok());
  const Descriptor client = connect_to(path);
  ASSERT_TRUE(client.valid());
  while (server.snapshot().connected != 1) std::this_thread::yield();
  EXPECT_FALSE(server.snapshot().old);
  const std::string line = "{\"topic\":\"subscribe:nfbus:status\"}\n";
  ASSERT_EQ(::send(client.get(), line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
  hangs.get_future().wait();

  auto begun = Clock::now();
  const ServerSnapshot first = server.snapshot();
  EXPECT_LT(Clock::now() - begun, milliseconds(5000));
  EXPECT_TRUE(first.old);
  EXPECT_EQ(first.connected, 1U) << "the last numbers that it gave";
  begun = Clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(server.snapshot().old);
  EXPECT_LT(Clock::now() - begun, milliseconds(5000)) << "whoever asks then does not wait at all";
  begun = Clock::now();
  EXPECT_FALSE(server.stop(begun));
  EXPECT_LT(Clock::now() - begun, milliseconds(10'000));

  go_on.set_value();
  EXPECT_TRUE(server.stop(Clock::now()));
  EXPECT_FALSE(server.snapshot().old);
}

}  // namespace
}  // namespace nfbus::host
