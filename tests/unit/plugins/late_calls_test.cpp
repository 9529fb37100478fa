#include "plugins/late_calls.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace nfbus::host {
namespace {

TEST(Gate, LetsNobodyInOnceItIsClosed) {
  Gate gate;
  ASSERT_TRUE(gate.enter());
  gate.leave();
  gate.close();
  EXPECT_FALSE(gate.enter());
  EXPECT_TRUE(gate.is_closed());
}

TEST(Gate, ClosesWhenThoseInsideHaveLeft) {
  Gate gate;
  std::atomic<bool> is_closed = false;
  ASSERT_TRUE(gate.enter());
  std::thread closer([&] {
    gate.close();
    is_closed = true;
  });
  while (!gate.is_closed()) std::this_thread::yield();
  EXPECT_FALSE(gate.enter()) << "nobody comes in while it waits";
  EXPECT_FALSE(is_closed);
  gate.leave();
  closer.join();
  EXPECT_TRUE(is_closed);
}

TEST(LateCalls, FindWhatWasKeptForThem) {
  auto state = std::make_shared<int>(7);
  const std::weak_ptr<int> seen = state;
  keep_for_late_calls(std::move(state));
  ASSERT_FALSE(seen.expired());
  EXPECT_EQ(*seen.lock(), 7);
}

}  // namespace
}  // namespace nfbus::host
