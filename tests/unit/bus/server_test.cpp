#include "bus/server/server.hpp"

#include "unix_socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace nfbus::host::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;

// A server on a socket of its own.
class ServerTest : public testing::Test {
 protected:
  using Status = std::function<std::string(const ServerSnapshot&)>;
  ServerTest(std::size_t most_clients, Status status)
      : path((std::filesystem::temp_directory_path() / ("nfbus-server-" + std::to_string(::getpid()) + ".sock"))
                 .string()),
        server(Listener::open(path, {}).value(), bus, formats,
               ServerSettings{.hub = {.topic_root = "nft:",
                                      .default_format = kPacketFormat,
                                      .with_payload = false,
                                      .fields = {},
                                      .client_bytes = 1UL << 20U,
                                      .total_bytes = 1UL << 20U},
                              .most_clients = most_clients},
               std::move(status)) {}

  // A client that the server has let in; the first one.
  [[nodiscard]] Descriptor first_client() {
    Descriptor client = connect_to(path);
    while (server.snapshot().connected != 1) std::this_thread::yield();
    return client;
  }
  static void send(const Descriptor& client, const std::string& lines) {
    EXPECT_EQ(::send(client.get(), lines.data(), lines.size(), MSG_NOSIGNAL), static_cast<ssize_t>(lines.size()));
  }

  const std::string path;
  Bus bus;
  const FormatSet formats{"test"};
  Server server;
};

// A server whose thread hangs while it makes the first status, until it is let go.
class HangingServer : public ServerTest {
 protected:
  HangingServer() : HangingServer(std::make_shared<Hang>()) {}

  struct Hang {
    bool hung = false;  // the server's thread's
    std::promise<void> begins, go_on;
  };
  const std::shared_ptr<Hang> hang;

 private:
  explicit HangingServer(const std::shared_ptr<Hang>& shared)
      : ServerTest(10,
                   [shared](const ServerSnapshot&) {
                     if (std::exchange(shared->hung, true)) return std::string("{}");
                     shared->begins.set_value();
                     shared->go_on.get_future().wait();
                     return std::string("{}");
                   }),
        hang(shared) {}
};

TEST_F(HangingServer, IsNotWaitedForByReportsNorByTheStop) {
  ASSERT_TRUE(server.start().ok());
  const Descriptor client = first_client();
  ASSERT_TRUE(client.valid());
  EXPECT_FALSE(server.snapshot().old);
  send(client, "{\"topic\":\"subscribe:nfbus:status\"}\n");
  hang->begins.get_future().wait();

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

  hang->go_on.set_value();
  EXPECT_TRUE(server.stop(Clock::now()));
  EXPECT_FALSE(server.snapshot().old);
}

// A server with a place for one, which is taken; its status takes a while.
class FullServer : public ServerTest {
 protected:
  FullServer()
      : ServerTest(1, [](const ServerSnapshot&) {
          std::this_thread::sleep_for(milliseconds(20));
          return std::string("STATUS");
        }) {
    EXPECT_TRUE(server.start().ok());
    first = first_client();
  }

  // All that one who comes later gets until the server closes the connection.
  [[nodiscard]] std::string answer_to(const std::string& lines) const {
    const Descriptor client = connect_to(path);
    send(client, lines);
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
}  // namespace nfbus::host::test
