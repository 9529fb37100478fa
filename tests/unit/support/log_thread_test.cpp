#include "support/log_thread.hpp"

#include "support/descriptor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

#include <array>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host {
namespace {

using Clock = LogThread::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::Not;

constexpr std::size_t kSmallQueue = 4 * log::kMostLineBytes;

class Log : public testing::Test {
 protected:
  Log() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = Descriptor(ends[0]);
    writer_ = Descriptor(ends[1]);
  }

  // Nothing more fits into the pipe.
  void fill() const {
    ::fcntl(writer_.get(), F_SETPIPE_SZ, 4096);
    ::fcntl(writer_.get(), F_SETFL, O_NONBLOCK);
    while (::write(writer_.get(), "#", 1) == 1) {
    }
    ::fcntl(writer_.get(), F_SETFL, 0);
  }

  // Reads up to the writer's end. Fillers are left out.
  void read_on() {
    reading_ = std::thread([this] {
      std::array<char, 4096> chunk{};
      for (ssize_t size = 0; (size = ::read(reader_.get(), chunk.data(), chunk.size())) > 0;) {
        text_.append(chunk.data(), static_cast<std::size_t>(size));
      }
    });
  }
  std::vector<std::string> lines() {
    writer_ = Descriptor();
    reading_.join();
    std::istringstream stream(text_.substr(std::min(text_.size(), text_.find_first_not_of('#'))));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  Descriptor reader_, writer_;
  std::thread reading_;
  std::string text_;
};

TEST_F(Log, WritesTheLinesOfAllThreadsWholeAndThoseOfEachInOrder) {
  constexpr int kThreads = 4;
  constexpr int kLines = 300;
  read_on();
  {
    LogThread thread(writer_.get());
    ASSERT_TRUE(thread.start().ok());
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < kLines; ++i) log::info("thread " + std::to_string(t) + " line " + std::to_string(i));
      });
    }
    for (std::thread& one : threads) one.join();
  }
  std::array<int, kThreads> next{};
  for (const std::string& line : lines()) {
    int t = 0;
    int i = 0;
    ASSERT_EQ(std::sscanf(line.c_str(), "nfbus: info: thread %d line %d", &t, &i), 2) << line;
    EXPECT_EQ(i, next.at(static_cast<std::size_t>(t))++);
  }
  EXPECT_THAT(next, Each(kLines));
}

TEST_F(Log, KeepsNobodyWaitingForAReaderWhoDoesNotRead) {
  fill();
  const auto before = Clock::now();
  {
    LogThread thread(writer_.get(), kSmallQueue);
    ASSERT_TRUE(thread.start().ok());
    for (int i = 0; i < 10'000; ++i) log::info("a line that nobody reads");
    EXPECT_GT(log::dropped(), 9'000U);
    thread.finish(Clock::now() + milliseconds(50));
    thread.finish(Clock::now());
  }
  EXPECT_LT(Clock::now() - before, LogThread::kLastWait + seconds(5));
}

TEST_F(Log, SaysHowManyLinesItDroppedWhereTheyAreMissing) {
  fill();
  std::uint64_t dropped = 0;
  constexpr int kLines = 5'000;
  {
    LogThread thread(writer_.get(), kSmallQueue);
    ASSERT_TRUE(thread.start().ok());
    for (int i = 0; i < kLines; ++i) log::info("line " + std::to_string(i));
    dropped = log::dropped();
    read_on();
    thread.flush(Clock::now() + seconds(10));
    log::info("read again");
  }
  const std::vector<std::string> said = lines();
  const std::size_t whole = kLines - dropped;
  ASSERT_EQ(said.size(), whole + 2);
  for (std::size_t i = 0; i < whole; ++i) EXPECT_EQ(said[i], "nfbus: info: line " + std::to_string(i));
  EXPECT_EQ(said[whole],
            "nfbus: warning: " + std::to_string(dropped) + " lines of the log were dropped: its reader is too slow");
  EXPECT_EQ(said[whole + 1], "nfbus: info: read again");
}

TEST_F(Log, KeepsRoomForErrorsWhenOtherLinesFillIt) {
  fill();
  {
    LogThread thread(writer_.get(), kSmallQueue);
    ASSERT_TRUE(thread.start().ok());
    for (int i = 0; i < 5'000; ++i) log::info("chatter");
    log::warning("a warning behind chatter that was dropped");
    log::error("the disk is gone");
    read_on();
    thread.flush(Clock::now() + seconds(10));
  }
  EXPECT_THAT(lines(), testing::Contains("nfbus: error: the disk is gone"));
}

TEST_F(Log, HoldsLinesUntilItsThreadStartsAndWritesThemWithoutOneAtTheEnd) {
  read_on();
  {
    const LogThread thread(writer_.get());
    log::info("early");
  }
  EXPECT_THAT(lines(), ElementsAre("nfbus: info: early"));
}

TEST_F(Log, SaysARepeatedLineOnceAndAtTheEndHowOftenItCame) {
  read_on();
  {
    LogThread thread(writer_.get());
    ASSERT_TRUE(thread.start().ok());
    for (int i = 0; i < 100; ++i) log::repeated(log::Level::warning, "sink.a", "no \"" + std::to_string(i) + "\" of 9");
    log::repeated(log::Level::debug, "sink.a", "below the level");
  }
  const std::vector<std::string> said = lines();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0], "nfbus: warning: sink.a: no \"0\" of 9");
  EXPECT_THAT(said[1], testing::MatchesRegex("nfbus: warning: sink.a: no \"0\" of 9 \\(99 more like it in .* s\\)"));
}

TEST_F(Log, CutsALineThatIsTooLongAtACharacter) {
  read_on();
  {
    LogThread thread(writer_.get());
    std::string long_line = "x";
    for (std::size_t i = 0; i < log::kMostLineBytes; ++i) long_line += "\xc3\xa9";
    log::info(long_line);
  }
  const std::vector<std::string> said = lines();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_LT(said[0].size(), log::kMostLineBytes);
  EXPECT_THAT(said[0], testing::EndsWith("\xc3\xa9..."));
}

}  // namespace
}  // namespace nfbus::host
