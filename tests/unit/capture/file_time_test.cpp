#include "capture/files/file_time.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace nfbus::host {
namespace {

constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kMostTicks = std::numeric_limits<std::uint64_t>::max();

TEST(FileTime, IsToldInPowersOfTenAndOfTwo) {
  EXPECT_EQ(file_time_ns(1'600'000'000'123'456, {}), 1'600'000'000'123'456'000);
  EXPECT_EQ(file_time_ns(1'600'000'000, {.resolution = 0}), 1'600'000'000'000'000'000);
  EXPECT_EQ(file_time_ns(1'600'000'000'123'456'789, {.resolution = 9}), 1'600'000'000'123'456'789);
  EXPECT_EQ(file_time_ns(1'600'000'000'123'456'789, {.resolution = 12}), 1'600'000'000'123'456);
  EXPECT_EQ(file_time_ns((1'600'000'000ULL << 20U) + (1U << 19U), {.resolution = 0x80 | 20}),
            1'600'000'000'500'000'000);
  EXPECT_EQ(file_time_ns(7, {.resolution = 0x80}), 7'000'000'000);
}

TEST(FileTime, IsMovedByTheOffset) {
  EXPECT_EQ(file_time_ns(5'000'000, {.offset_seconds = 1'600'000'000}), 1'600'000'005'000'000'000);
  EXPECT_EQ(file_time_ns(1'600'000'005'000'000, {.offset_seconds = -5}), 1'600'000'000'000'000'000);
}

TEST(FileTime, OfLaterCenturiesIsRightAsFarAsItCanBe) {
  EXPECT_EQ(file_time_ns(7'258'118'400'000'000, {}), 7'258'118'400'000'000'000);  // 2200
  EXPECT_EQ(file_time_ns(9'223'372'036'854'775, {}), 9'223'372'036'854'775'000);  // 2262-04-11
  EXPECT_EQ(file_time_ns(9'223'372'036'854'776, {}), kLast);
  EXPECT_EQ(file_time_ns(kMostTicks, {.resolution = 0}), kLast);
  EXPECT_EQ(file_time_ns(kMostTicks, {.resolution = 0x80}), kLast);
  EXPECT_EQ(file_time_ns(0, {.offset_seconds = kLast}), kLast);
}

TEST(FileTime, BeforeTheEpochIsItsBegin) {
  EXPECT_EQ(file_time_ns(4'000'000, {.offset_seconds = -5}), 0);
  EXPECT_EQ(file_time_ns(kMostTicks, {.offset_seconds = std::numeric_limits<std::int64_t>::min()}), 0);
}

TEST(FileTime, HasNoUnitThatIsTooSmall) {
  EXPECT_EQ(file_time_ns(kMostTicks, {.resolution = 28}), 1);
  EXPECT_EQ(file_time_ns(kMostTicks, {.resolution = 29}), 0);
  EXPECT_EQ(file_time_ns(kMostTicks, {.resolution = 127}), 0);
  EXPECT_EQ(file_time_ns(kMostTicks, {.resolution = 0x80 | 127}), 0);
}

}  // namespace
}  // namespace nfbus::host
