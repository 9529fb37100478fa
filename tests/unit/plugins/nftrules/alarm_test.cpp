// The clock of a confirmation, beside processes that are forked. Only the address sanitizer's allocator stays locked in
// a process that is forked while a thread starts.
#include "alarm.hpp"
#include "compiler.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace nftrules {
namespace {

TEST(Alarm, AProcessThatIsForkedOnceATimeIsSetDoesNotWaitForItsThread) {
  for (int i = 0; i < 50; ++i) {
    Alarm alarm([] {});
    alarm.set(Alarm::Clock::now() + std::chrono::hours(1));
    const auto compiled = compile("add table inet nfbus");
    ASSERT_TRUE(compiled.ok()) << "round " << i << ": " << compiled.error().text;
  }
}

}  // namespace
}  // namespace nftrules
