#include "bus/server/line_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

constexpr std::size_t kLineBytes = 100;
constexpr std::size_t kLineCost = kLineBytes + kLineOverheadBytes;

class LineQueueTest : public testing::Test {
 protected:
  // A line of kLineBytes that begins with a number.
  LineRef line(int number) {
    std::string text = std::to_string(number);
    text.resize(kLineBytes - 1, '.');
    return store.make(text);
  }

  // Everything that waits, as it would be sent.
  static std::string waiting(const LineQueue& queue) {
    std::array<iovec, 64> pieces{};
    std::string out;
    for (std::size_t i = 0, count = queue.gather(pieces, 1 << 20); i < count; ++i) {
      out.append(static_cast<const char*>(pieces.at(i).iov_base), pieces.at(i).iov_len);
    }
    return out;
  }
  std::string lines(std::initializer_list<int> numbers) {
    std::string out;
    for (const int number : numbers) out += line(number).view();
    return out;
  }
  static void expect_sum(const LineQueue& queue) {
    const LineCounters c = queue.counters();
    EXPECT_EQ(c.pushed, c.delivered + c.overflowed + c.queued);
  }

  LineStore store;
};

TEST_F(LineQueueTest, DropsTheOldestAndCountsThemWhenItIsFull) {
  LineQueue queue(3 * kLineCost, store);
  for (int i = 0; i < 5; ++i) queue.push(line(i));
  EXPECT_EQ(waiting(queue), lines({2, 3, 4}));
  EXPECT_EQ(queue.counters().overflowed, 2U);
  EXPECT_EQ(queue.counters().queued, 3U);
  EXPECT_EQ(queue.queued_bytes(), 3 * kLineCost);
  EXPECT_EQ(queue.take_missed(), 2U);
  EXPECT_EQ(queue.take_missed(), 0U);
  expect_sum(queue);
}

TEST_F(LineQueueTest, NeverDropsALineThatIsPartlySent) {
  LineQueue queue(2 * kLineCost, store);
  queue.push(line(0));
  queue.push(line(1));
  queue.sent(10);
  queue.push(line(2));
  EXPECT_EQ(waiting(queue), lines({0, 2}).substr(10));
  queue.sent(kLineBytes - 10);
  EXPECT_EQ(queue.counters().delivered, 1U);
  EXPECT_EQ(waiting(queue), lines({2}));
  expect_sum(queue);
}

TEST_F(LineQueueTest, CountsALineAsDeliveredWhenItsLastByteIsSent) {
  LineQueue queue(10 * kLineCost, store);
  for (int i = 0; i < 3; ++i) queue.push(line(i));
  queue.sent(2 * kLineBytes - 1);
  EXPECT_EQ(queue.counters().delivered, 1U);
  queue.sent(1);
  EXPECT_EQ(queue.counters().delivered, 2U);
  queue.sent(kLineBytes);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.queued_bytes(), 0U);
  expect_sum(queue);
}

TEST_F(LineQueueTest, LetsASingleLineInWhateverItsSize) {
  LineQueue queue(kLineCost / 2, store);
  queue.push(line(0));
  EXPECT_EQ(waiting(queue), lines({0}));
  queue.push(line(1));
  EXPECT_EQ(waiting(queue), lines({1}));
  EXPECT_EQ(queue.counters().overflowed, 1U);
}

TEST_F(LineQueueTest, GathersAsMuchAsThereIsRoomFor) {
  LineQueue queue(10 * kLineCost, store);
  for (int i = 0; i < 5; ++i) queue.push(line(i));
  std::array<iovec, 64> pieces{};
  EXPECT_EQ(queue.gather(std::span(pieces).first(3), 1 << 20), 3U);
  EXPECT_EQ(queue.gather(pieces, kLineBytes + 1), 2U);
}

TEST_F(LineQueueTest, PutsAMarkerWhereLinesAreMissingAndDoesNotCountIt) {
  LineQueue queue(2 * kLineCost, store);
  for (int i = 0; i < 3; ++i) queue.push(line(i));
  ASSERT_TRUE(queue.may_take_marker());
  EXPECT_EQ(queue.take_missed(), 1U);
  queue.push_marker(line(99));
  EXPECT_EQ(waiting(queue), lines({99, 1, 2}));
  EXPECT_EQ(queue.counters().queued, 2U);
  queue.sent(kLineBytes);
  EXPECT_EQ(queue.counters().delivered, 0U);
  EXPECT_EQ(queue.take_missed(), 0U);
  expect_sum(queue);
}

TEST_F(LineQueueTest, TakesAMarkerBackThatWasNotSentWhenMoreIsMissing) {
  LineQueue queue(3 * kLineCost, store);
  for (int i = 0; i < 4; ++i) queue.push(line(i));
  EXPECT_EQ(queue.take_missed(), 1U);
  queue.push_marker(line(99));
  queue.push(line(4));  // what waits behind the marker goes, the marker stays
  EXPECT_EQ(waiting(queue), lines({99, 3, 4}));
  EXPECT_EQ(queue.missed(), 2U);
  EXPECT_EQ(queue.take_missed(), 3U);
  EXPECT_EQ(waiting(queue), lines({3, 4}));
  EXPECT_EQ(queue.queued_bytes(), 2 * kLineCost);
  expect_sum(queue);
}

TEST_F(LineQueueTest, TakesNoMarkerInsideOfALine) {
  LineQueue queue(10 * kLineCost, store);
  queue.push(line(0));
  queue.sent(1);
  EXPECT_FALSE(queue.may_take_marker());
  queue.sent(kLineBytes - 1);
  EXPECT_TRUE(queue.may_take_marker());
}

TEST_F(LineQueueTest, ShrinksByDroppingTheOldest) {
  LineQueue queue(10 * kLineCost, store);
  for (int i = 0; i < 4; ++i) queue.push(line(i));
  queue.shrink_to(2 * kLineCost);
  EXPECT_EQ(waiting(queue), lines({2, 3}));
  EXPECT_EQ(queue.counters().overflowed, 2U);
}

TEST_F(LineQueueTest, SharesLinesAndFreesThemWithTheLastQueue) {
  LineQueue first(10 * kLineCost, store);
  LineQueue second(10 * kLineCost, store);
  {
    const LineRef shared = line(0);
    first.push(shared);
    second.push(shared);
  }
  EXPECT_EQ(store.live_bytes(), kLineCost);
  first.sent(kLineBytes);
  EXPECT_EQ(store.live_bytes(), kLineCost);
  second.shrink_to(0);
  EXPECT_EQ(store.live_bytes(), 0U);
}

TEST_F(LineQueueTest, CountsWhatNeverCameIn) {
  LineQueue queue(kLineCost, store);
  queue.count_missed(5);
  EXPECT_EQ(queue.counters().pushed, 5U);
  EXPECT_EQ(queue.counters().overflowed, 5U);
  EXPECT_EQ(queue.take_missed(), 5U);
  expect_sum(queue);
}

}  // namespace
}  // namespace nfbus::host
