#include "delivery/backoff.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

TEST(Backoff, DoublesItsCeilingAndNeverPassesTheCap) {
  std::minstd_rand random{1};
  auto ceiling = kBackoffBase;
  for (std::uint32_t attempt = 1; attempt < 100; ++attempt) {
    for (int i = 0; i < 50; ++i) {
      const auto delay = backoff_delay(attempt, random);
      EXPECT_GE(delay.count(), 0);
      EXPECT_LE(delay, ceiling);
    }
    ceiling = std::min(kBackoffCap, ceiling * 2);
  }
}

TEST(Backoff, SpreadsOverTheWholeRange) {
  std::minstd_rand random{1};
  std::chrono::milliseconds least = kBackoffCap;
  std::chrono::milliseconds most{0};
  for (int i = 0; i < 1000; ++i) {
    const auto delay = backoff_delay(20, random);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_LT(least, kBackoffCap / 10);
  EXPECT_GT(most, kBackoffCap * 9 / 10);
}

}  // namespace
}  // namespace nfbus::host
