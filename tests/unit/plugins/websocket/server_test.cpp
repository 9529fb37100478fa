#include "server/server.hpp"

#include "jobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace websocket {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kRequest = "GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

class Nobody final : public Conversation {
 public:
  void begun(Channel& /*channel*/) override {}
  void received(std::string_view /*text*/) override {}
  void written() override {}
  void stopping() override {}
  void ended() override {}
};

// Keeps what it has to answer.
class Keeper final : public Application {
 public:
  void answer(Request /*request*/, Reply reply) override {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    asked_.set_value();
  }
  void upgrade(const Request& /*request*/, std::function<void(Upgrade)> reply) override { on_upgrade(reply); }
  void turned_away() override {}

  [[nodiscard]] bool is_asked() { return asked_.get_future().wait_for(20s) == std::future_status::ready; }
  [[nodiscard]] std::vector<Reply> take_replies() {
    const std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }

  std::function<void(const std::function<void(Upgrade)>&)> on_upgrade;

 private:
  std::mutex mutex_;
  std::vector<Reply> replies_;
  std::promise<void> asked_;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest()
      : server_(std::in_place, ServerSettings{.listen = {{.address = "127.0.0.1"}}, .most_connections = 2},
                application_) {
    server_->start();
    socket_ = connected();
  }
  ~ServerTest() override {
    close(socket_);
    (void)application_.take_replies();
    server_.reset();
  }

  [[nodiscard]] int connected() const {
    const std::string address = server_->addresses().at(0);  // "http://127.0.0.1:PORT/"
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval most{.tv_sec = 20, .tv_usec = 0};
    setsockopt(out, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    EXPECT_EQ(connect(out, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    return out;
  }
  static void send(int to, std::string_view text) {
    EXPECT_EQ(::send(to, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] bool is_cut_off() const {
    char byte = 0;
    const ssize_t size = recv(socket_, &byte, 1, 0);
    return size == 0 || (size < 0 && errno == ECONNRESET);
  }
  // Up to `end`, or until the server closes.
  [[nodiscard]] std::string read_until(std::string_view end) const {
    std::string out;
    char byte = 0;
    while (out.find(end) == std::string::npos && recv(socket_, &byte, 1, 0) == 1) out += byte;
    return out;
  }

  Keeper application_;
  std::optional<Server> server_;
  int socket_ = -1;
};

TEST_F(ServerTest, AnAnswerThatNobodyHasYetKeepsItFromStoppingNoTime) {
  send(socket_, kRequest);
  ASSERT_TRUE(application_.is_asked());
  const Clock::time_point begin = Clock::now();
  server_->stop();
  EXPECT_LT(Clock::now() - begin, 800ms);  // it waits a second for clients
  EXPECT_TRUE(is_cut_off());
}

TEST_F(ServerTest, JobsThatHoldAConnectionAreDroppedBeforeItGoes) {
  send(socket_, kRequest);
  ASSERT_TRUE(application_.is_asked());
  Jobs jobs;
  for (Reply& reply : application_.take_replies()) {
    jobs.post([reply = std::move(reply)](auto) { return false; });
  }
  EXPECT_TRUE(jobs.run(Jobs::Clock::now(), [](const std::exception&) { FAIL(); }));
  jobs.close();
  EXPECT_TRUE(is_cut_off());
  server_.reset();
}

TEST_F(ServerTest, AnUpgradeTakesOnePlaceOfThoseThatThereAre) {
  int other = -1;
  application_.on_upgrade = [&](const std::function<void(Upgrade)>& reply) {
    other = connected();
    reply({.conversation = std::make_shared<Nobody>()});
  };
  send(socket_, kUpgrade);
  EXPECT_THAT(read_until("\r\n\r\n"), HasSubstr("101 Switching Protocols"));
  send(other, kRequest);
  EXPECT_TRUE(application_.is_asked());
  close(other);
}

}  // namespace
}  // namespace websocket
