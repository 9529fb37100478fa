#include "capture/unseen_drops.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

SocketState at(std::uint32_t drops, std::uint64_t waiting_bytes, std::uint64_t read_bytes, std::uint64_t gaps = 0,
               bool busy = false, bool reading = false) {
  return {.drops = drops,
          .waiting_bytes = waiting_bytes,
          .read_bytes = read_bytes,
          .gaps = gaps,
          .busy = busy,
          .reading = reading};
}

TEST(UnseenDrops, AreNoneWhereNothingWasDropped) {
  UnseenDrops drops;
  EXPECT_EQ(drops.update(at(0, 0, 0)), 0U);
  EXPECT_EQ(drops.update(at(0, 5000, 100)), 0U);
}

TEST(UnseenDrops, ShowAStallBeforeTheNextPacketAndUntilIt) {
  UnseenDrops drops;
  drops.update(at(0, 0, 500));
  EXPECT_EQ(drops.update(at(30, 9000, 500)), 30U);
  EXPECT_EQ(drops.update(at(40, 9000, 500)), 40U);
  // What waited is read; it came before the drops.
  EXPECT_EQ(drops.update(at(40, 0, 6500)), 40U);
  // The next packet shows the gap.
  EXPECT_EQ(drops.update(at(40, 0, 6600)), 0U);
}

TEST(UnseenDrops, ThatNothingFollowsStay) {
  UnseenDrops drops;
  drops.update(at(7, 0, 100));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(drops.update(at(7, 0, 100)), 7U);
}

TEST(UnseenDrops, OfALastingOverloadAreThoseSinceALookThatHasBeenReadPast) {
  UnseenDrops drops;
  std::uint32_t unseen = 0;
  for (std::uint32_t second = 1; second <= 100; ++second) {
    unseen = drops.update(at(second * 50, 8'000'000, second * 10'000'000ULL));
  }
  EXPECT_LE(unseen, 100U);
  EXPECT_GE(unseen, 50U);
}

TEST(UnseenDrops, WhatWasReadOfAFullBufferTellsOfNothingBehindIt) {
  UnseenDrops drops;
  drops.update(at(0, 0, 0));
  drops.update(at(5, 8000, 4000));
  EXPECT_EQ(drops.update(at(9, 4000, 8000)), 9U);
  EXPECT_EQ(drops.update(at(9, 0, 12000)), 9U);
}

TEST(UnseenDrops, EachGapTellsOfOneDatagramAtLeast) {
  UnseenDrops drops;
  drops.update(at(0, 0, 1000));
  EXPECT_EQ(drops.update(at(3, 0, 9000, 3)), 0U) << "three gaps, three datagrams";
  EXPECT_EQ(drops.update(at(8, 0, 20'000, 6)), 2U) << "one of the three gaps had three, or two came behind the last";
}

TEST(UnseenDrops, AGapMayBeOfWhatWasDroppedBeforeTheLook) {
  UnseenDrops drops;
  drops.update(at(0, 0, 1000));
  EXPECT_EQ(drops.update(at(4, 0, 1000)), 4U);
  // One packet tells of the four; two more were dropped behind it.
  EXPECT_EQ(drops.update(at(6, 0, 1100, 1)), 2U);
}

TEST(UnseenDrops, GapsInWhatIsStillBeingReadTellOfNothingLater) {
  UnseenDrops drops;
  drops.update(at(0, 0, 1000));
  drops.update(at(2, 0, 9000, 0, true));  // two gaps will be found in it
  EXPECT_EQ(drops.update(at(5, 0, 9500, 2)), 3U);
}

// The thread that reads was interrupted with datagrams in hand that it has not counted.
TEST(UnseenDrops, StayUnseenWhereALookMetAReadInTheMiddle) {
  UnseenDrops drops;
  drops.update(at(0, 0, 500));
  EXPECT_EQ(drops.update(at(7, 1000, 500, 0, false, true)), 7U);
  EXPECT_EQ(drops.update(at(7, 0, 6500)), 7U);
}

TEST(UnseenDrops, TheSocketsCountMayWrap) {
  UnseenDrops drops;
  drops.update(at(0xfffffff0U, 0, 0));
  EXPECT_EQ(drops.update(at(0xfffffff8U, 0, 1)), 8U);
  EXPECT_EQ(drops.update(at(8, 0, 1)), 24U);
}

}  // namespace
}  // namespace nfbus::host
