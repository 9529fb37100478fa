#include "history.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

namespace websocket {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes filled(std::size_t size, std::uint64_t seed) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(seed * 31 + i * 7);
  return out;
}

Bytes kept(const History& history, std::uint64_t number) {
  const auto record = history.record(number);
  return {record.begin(), record.end()};
}

TEST(History, NumbersRiseFromTheFirst) {
  History history(10, 1000, 501);
  EXPECT_EQ(history.size(), 0U);
  EXPECT_EQ(history.oldest(), history.end());
  EXPECT_EQ(history.oldest_ns(), 0);
  EXPECT_TRUE(history.record(500).empty());
  EXPECT_TRUE(history.record(501).empty());
  history.add(5, filled(3, 1));
  history.add(7, filled(4, 2));
  EXPECT_EQ(history.oldest(), 501U);
  EXPECT_EQ(history.end(), 503U);
  EXPECT_EQ(kept(history, 501), filled(3, 1));
  EXPECT_EQ(kept(history, 502), filled(4, 2));
  EXPECT_EQ(history.size_bytes(), 7U);
  EXPECT_EQ(history.oldest_ns(), 5);
  EXPECT_TRUE(history.record(~std::uint64_t{0}).empty());
}

TEST(History, KeepsSoManyEventsAtMost) {
  History history(3, 1000, 1);
  for (std::uint64_t i = 1; i <= 10; ++i) history.add(static_cast<std::int64_t>(i) * 100, filled(10, i));
  EXPECT_EQ(history.size(), 3U);
  EXPECT_EQ(history.oldest(), 8U);
  EXPECT_EQ(history.oldest_ns(), 800);
  EXPECT_EQ(history.size_bytes(), 30U);
  EXPECT_TRUE(history.record(7).empty());
  EXPECT_EQ(kept(history, 8), filled(10, 8));
  EXPECT_EQ(kept(history, 10), filled(10, 10));
}

TEST(History, RecordsThatFillItExactlyAreKept) {
  History history(10, 30, 1);
  for (std::uint64_t i = 1; i <= 7; ++i) {
    history.add(1, filled(10, i));
    EXPECT_EQ(history.size(), std::min<std::uint64_t>(i, 3));
  }
  EXPECT_EQ(kept(history, 5), filled(10, 5));
  history.add(1, filled(30, 8));
  EXPECT_EQ(history.oldest(), 8U);
  EXPECT_EQ(kept(history, 8), filled(30, 8));
}

// One message that is larger than all of the room must not cost what is there.
TEST(History, ARecordThatIsTooLargeCostsItselfAlone) {
  History history(10, 100, 1);
  history.add(1, filled(40, 1));
  history.add(2, filled(40, 2));
  history.add(3, filled(101, 3));
  history.add(4, Bytes());
  EXPECT_EQ(history.end(), 5U);
  EXPECT_EQ(history.oldest(), 1U);
  EXPECT_EQ(kept(history, 1), filled(40, 1));
  EXPECT_EQ(kept(history, 2), filled(40, 2));
  EXPECT_TRUE(history.record(3).empty());
  EXPECT_TRUE(history.record(4).empty());
  EXPECT_EQ(history.size_bytes(), 80U);
  for (std::uint64_t i = 5; i <= 20; ++i) {
    history.add(static_cast<std::int64_t>(i), filled(40, i));
    EXPECT_EQ(kept(history, i), filled(40, i));
    EXPECT_EQ(kept(history, i - 1), i == 5 ? Bytes() : filled(40, i - 1));
  }
}

TEST(History, OnlyWhatHasNoRoomFloodsItWithinItsBounds) {
  History history(10, 100, 1);
  for (int i = 0; i < 1000; ++i) history.add(1, filled(200, 1));
  EXPECT_LE(history.size(), 10U);
  EXPECT_EQ(history.end(), 1001U);
  EXPECT_EQ(history.size_bytes(), 0U);
}

// What is kept is always the newest, in one piece, unharmed, and nearly all of the room is used.
TEST(History, IsTheNewestOfAllWhateverTheirSizes) {
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U}) {
    std::mt19937 random(seed);
    const bool bytes_alone = seed % 2 != 0;
    const std::size_t most_events = bytes_alone ? 10'000 : 5 + random() % 60;
    const std::size_t most_bytes = 500 + random() % 2000;
    const std::size_t largest = bytes_alone ? most_bytes / 10 : most_bytes + 20;
    History history(most_events, most_bytes, 1);
    std::deque<std::pair<std::int64_t, Bytes>> all;  // from number 1 on
    std::size_t fewest_bytes = most_bytes;
    for (std::uint64_t number = 1; number <= 3000; ++number) {
      all.emplace_back(static_cast<std::int64_t>(number) * 3, filled(random() % largest, number));
      history.add(all.back().first, all.back().second);
      ASSERT_EQ(history.end(), number + 1);
      ASSERT_LE(history.size(), most_events);
      std::size_t bytes = 0;
      for (std::uint64_t at = history.oldest(); at < history.end(); ++at) {
        const Bytes& record = all[at - 1].second;
        ASSERT_EQ(kept(history, at), record.size() > most_bytes ? Bytes() : record) << "seed " << seed << ", " << at;
        bytes += kept(history, at).size();
      }
      ASSERT_EQ(history.size_bytes(), bytes);
      ASSERT_LE(bytes, most_bytes);
      ASSERT_TRUE(history.record(history.oldest() - 1).empty());
      if (history.size() != 0) {
        ASSERT_EQ(history.oldest_ns(), all[history.oldest() - 1].first);
      }
      if (number > 200) fewest_bytes = std::min(fewest_bytes, bytes);
    }
    if (bytes_alone) {
      EXPECT_GE(fewest_bytes, most_bytes - 2 * largest) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace websocket
