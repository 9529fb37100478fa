#include "bus/server/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
using testing::AllOf;
using testing::HasSubstr;

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

// A server with a place for one, whose status takes a while.
class FullServer : public testing::Test {
 protected:
  FullServer()
      : path(
            (std::filesystem::temp_directory_path() / ("nfbus-full-" + std::to_string(::getpid()) + ".sock")).string()),
        server(Listener::open(path, {}).value(), bus, formats,
               ServerSettings{.hub = {.topic_root = "nft:",
                                      .default_form = formats.find("packet"),
                                      .packet_form = formats.find("packet"),
                                      .fields = {},
                                      .client_bytes = 1UL << 20U,
                                      .total_bytes = 1UL << 20U},
                              .most_clients = 1},
               [](const ServerSnapshot&) {
                 std::this_thread::sleep_for(milliseconds(20));
                 return std::string("STATUS");
               }) {
    EXPECT_TRUE(server.start().ok());
    first = connect_to(path);
    while (server.snapshot().connected != 1) std::this_thread::yield();
  }

  // All that one who comes later gets until the server closes the connection.
  [[nodiscard]] std::string answer_to(const std::string& lines) const {
    const Descriptor client = connect_to(path);
    EXPECT_EQ(::send(client.get(), lines.data(), lines.size(), MSG_NOSIGNAL), static_cast<ssize_t>(lines.size()));
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::string received;
    std::array<char, 4096> piece{};
    for (;;) {
      const ssize_t size = ::recv(client.get(), piece.data(), piece.size(), 0);
      if (size < 0) received += "ERROR " + std::to_string(errno);
      if (size <= 0) return received;
      received.append(piece.data(), static_cast<std::size_t>(size));
    }
  }

  const std::string path;
  Bus bus;
  const FormatSet formats{"test"};
  Server server;
  Descriptor first;
};

TEST_F(FullServer, SaysToWhoeverAsksThatThereIsNoPlace) {
  for (const char* line : {R"({"topic":"web:a","value":"x","answer":true})", R"({"topic":"subscribe:","answer":true})",
                           R"({"topic":1,"answer":true})"}) {
    for (const char* end : {"\n", "\n{\"topic\":\"web:more\",\"answer\":true}\n"}) {
      const std::string answer = answer_to(std::string(line) + end);
      EXPECT_THAT(answer, HasSubstr("too many clients are connected")) << line;
      EXPECT_EQ(std::count(answer.begin(), answer.end(), '\n'), 1) << answer;
    }
  }
  EXPECT_EQ(answer_to("{\"topic\":\"web:a\",\"value\":\"x\"}\n"), "") << "who does not ask gets no answer";
}

TEST_F(FullServer, GivesTheStatusAlsoBehindAnAnswerAndWhenItIsNotDueYet) {
  for (int i = 0; i < 3; ++i) {
    const std::string answer = answer_to("{\"topic\":\"subscribe:nfbus:status\",\"answer\":true}\n");
    EXPECT_THAT(answer, AllOf(HasSubstr("nfbus:answer"), HasSubstr("STATUS"))) << i;
  }
  const ServerSnapshot now = server.snapshot();
  EXPECT_EQ(now.turned_away, 3U);
  EXPECT_EQ(now.connections, 4U);
}

}  // namespace
}  // namespace nfbus::host
