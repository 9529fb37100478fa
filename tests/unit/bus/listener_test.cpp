#include "bus/server/listener.hpp"

#include "temporary_folder.hpp"
#include "unix_socket.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host {
namespace {

namespace fs = std::filesystem;

// A socket that somebody else has bound to `path`, with room for one connection that waits.
Descriptor foreign_socket(const std::string& path, int type = SOCK_STREAM) {
  Descriptor socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const sockaddr_un address = test::unix_address(path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  if (type == SOCK_STREAM && ::listen(socket.get(), 0) != 0) return {};
  return socket;
}

// 0: connected, and the connection stays; else what is wrong.
int connect_to(const std::string& path, std::vector<Descriptor>& connections) {
  connections.push_back(test::connect_to(path, SOCK_NONBLOCK));
  return connections.back().valid() ? 0 : errno;
}

class ListenerTest : public testing::Test {
 protected:
  [[nodiscard]] bool answers() const {
    std::vector<Descriptor> connections;
    return connect_to(path, connections) == 0;
  }

  const nfbus::test::TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  const std::string path = (folder / "bus.sock").string();
};

TEST_F(ListenerTest, LeavesAFileAloneThatHasReplacedItsOwn) {
  std::optional<Result<Listener>> first(Listener::open(path, {}));
  ASSERT_TRUE(first->ok());
  fs::rename(path, folder / "moved");
  const Result<Listener> second = Listener::open(path, {});
  ASSERT_TRUE(second.ok());
  first.reset();
  EXPECT_TRUE(answers());
}

TEST_F(ListenerTest, RemovesItsFileOnceHoweverOftenItMoved) {
  {
    std::optional<Result<Listener>> opened(Listener::open(path, {}));
    ASSERT_TRUE(opened->ok());
    const Listener listener = std::move(*opened).value();
    opened.reset();
    EXPECT_TRUE(answers());
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(ListenerTest, TakesOverWhatADeadProgramLeft) {
  { const Descriptor dead = foreign_socket(path); }
  ASSERT_TRUE(fs::is_socket(path));
  EXPECT_FALSE(answers());
  const Result<Listener> listener = Listener::open(path, {});
  ASSERT_TRUE(listener.ok());
  EXPECT_TRUE(answers());
}

TEST_F(ListenerTest, KnowsALiveProgramAlsoWhenItAcceptsNobody) {
  const Descriptor busy = foreign_socket(path);
  std::vector<Descriptor> connections;
  int refused = 0;
  while (refused == 0) refused = connect_to(path, connections);
  ASSERT_EQ(refused, EAGAIN);
  const Result<Listener> listener = Listener::open(path, {});
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.error().code, Code::busy);
  EXPECT_TRUE(fs::is_socket(path));
}

TEST_F(ListenerTest, LeavesSocketsOfAnotherKindAndLinksAlone) {
  const Descriptor datagrams = foreign_socket(path, SOCK_DGRAM);
  const Result<Listener> listener = Listener::open(path, {});
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.error().code, Code::io);
  EXPECT_TRUE(fs::is_socket(path));

  std::ofstream(folder / "precious") << "text";
  fs::create_symlink(folder / "precious", folder / "link");
  const Result<Listener> behind_link = Listener::open((folder / "link").string(), {});
  ASSERT_FALSE(behind_link.ok());
  EXPECT_EQ(behind_link.error().code, Code::invalid);
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(fs::file_size(folder / "precious"), 4U);
}

TEST_F(ListenerTest, TakesPathsUpToTheLengthThatSocketsHave) {
  const std::string start = folder.string() + "/";
  const std::string longest = start + std::string(sizeof(sockaddr_un::sun_path) - 1 - start.size(), 'x');
  EXPECT_TRUE(Listener::open(longest, {}).ok());
  for (const std::string& wrong : {longest + "x", std::string()}) {
    const Result<Listener> listener = Listener::open(wrong, {});
    ASSERT_FALSE(listener.ok());
    EXPECT_EQ(listener.error().code, Code::invalid);
  }
}

TEST_F(ListenerTest, IsNotHeldUpByAnybodyWhoLocksTheFolder) {
  const Descriptor holder(::open(folder.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(holder.get(), LOCK_EX | LOCK_NB), 0);
  const Result<Listener> listener = Listener::open(path, {});
  ASSERT_TRUE(listener.ok());
  EXPECT_TRUE(answers());
}

TEST_F(ListenerTest, BelongsToWhomItIsGivenTo) {
  const Result<Listener> listener = Listener::open(path, {.user = 4711, .user_group = 4711, .group = 4712});
  ASSERT_TRUE(listener.ok());
  struct stat found {};
  ASSERT_EQ(::lstat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, 4711U);
  EXPECT_EQ(found.st_gid, 4712U);
  EXPECT_EQ(found.st_mode & 07777U, 0660U);
}

TEST_F(ListenerTest, OfSeveralThatStartAtOnceOneServes) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    { const Descriptor dead = foreign_socket(path); }
    std::vector<std::optional<Result<Listener>>> results(4);
    std::atomic<int> waiting{4};
    std::vector<std::thread> hosts;
    hosts.reserve(results.size());
    for (auto& result : results) {
      hosts.emplace_back([&] {
        --waiting;
        while (waiting != 0) std::this_thread::yield();
        result.emplace(Listener::open(path, {}));
      });
    }
    for (std::thread& host : hosts) host.join();
    int serving = 0;
    for (const auto& result : results) {
      if (result->ok()) {
        ++serving;
      } else {
        EXPECT_EQ(result->error().code, Code::busy) << result->error().text;
      }
    }
    ASSERT_EQ(serving, 1);
    EXPECT_TRUE(answers());
  }
}

}  // namespace
}  // namespace nfbus::host
