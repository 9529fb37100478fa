#include "capture/files/progress.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;

TEST(Progress, IsToldEachSecondFromTheFirstOn) {
  const Progress::Clock::time_point start{};
  Progress progress(start);
  EXPECT_FALSE(progress.is_due(start + 999ms));
  ASSERT_TRUE(progress.is_due(start + 1s));
  EXPECT_EQ(progress.line(start + 1500ms, "big.pcap.zst", 420, 1000, 1'300'000), "big.pcap.zst: 42 %, 1300000 packets");
  EXPECT_FALSE(progress.is_due(start + 2499ms));
  EXPECT_TRUE(progress.is_due(start + 2500ms));
}

TEST(Progress, OfAFileThatGrowsEndsAt100) {
  Progress progress({});
  EXPECT_EQ(progress.line({}, "f", 2000, 1000, 1), "f: 100 %, 1 packets");
  EXPECT_EQ(progress.line({}, "f", 0, 0, 0), "f: 100 %, 0 packets");
}

}  // namespace
}  // namespace nfbus::host
