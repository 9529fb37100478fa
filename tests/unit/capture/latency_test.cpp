#include "capture/latency.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(Latency, BelowTenMillisecondsAsksForTheKernelsNextTick) {
  EXPECT_EQ(timeout_10ms(1), 0U);
  EXPECT_EQ(timeout_10ms(9), 0U);
  EXPECT_EQ(timeout_10ms(10), 1U);
  EXPECT_EQ(timeout_10ms(250), 25U);
}

TEST(AdaptiveThreshold, StartsWithEachPacketAtOnce) { EXPECT_EQ(AdaptiveThreshold().threshold(), kAtOnceThreshold); }

TEST(AdaptiveThreshold, BatchesUnderLoadAndStaysSoUntilItIsWellBelow) {
  AdaptiveThreshold adaptive;
  std::int64_t now_ns = 0;
  const auto after_10ms_of = [&](std::size_t packets) {
    now_ns += 10 * kMs;
    return adaptive.packets_arrived(packets, now_ns);
  };
  EXPECT_FALSE(after_10ms_of(40)) << "4,000/s is quiet";
  EXPECT_TRUE(after_10ms_of(100));
  EXPECT_EQ(adaptive.threshold(), kLargeThreshold);
  EXPECT_FALSE(after_10ms_of(40)) << "4,000/s is not quiet enough to switch back";
  EXPECT_TRUE(after_10ms_of(10));
  EXPECT_EQ(adaptive.threshold(), kAtOnceThreshold);
}

TEST(AdaptiveThreshold, NoticesSilence) {
  AdaptiveThreshold adaptive;
  ASSERT_FALSE(adaptive.packets_arrived(100, 0));
  ASSERT_TRUE(adaptive.packets_arrived(100, 10 * kMs));
  EXPECT_TRUE(adaptive.packets_arrived(0, 30 * kMs));
  EXPECT_FALSE(adaptive.batching());
}

TEST(AdaptiveThreshold, ShortBurstsAreNoLoad) {
  AdaptiveThreshold adaptive;
  EXPECT_FALSE(adaptive.packets_arrived(15, 1000 * kMs));
  EXPECT_FALSE(adaptive.packets_arrived(15, 1001 * kMs));
}

}  // namespace
}  // namespace nfbus::host
