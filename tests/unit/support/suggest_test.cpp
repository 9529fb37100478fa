#include "support/suggest.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nfbus::host {
namespace {

TEST(Suggestion, IsTheNearestNameIfOneIsNear) {
  const std::vector<std::string> names = {"file", "filters", "queue", "queue_bytes"};
  EXPECT_EQ(nearest("fil", names), "file");
  EXPECT_EQ(nearest("FLIE", names), "file");
  EXPECT_EQ(nearest("queue-bytes", names), "queue_bytes");
  EXPECT_EQ(nearest("topics", names), "");
  EXPECT_EQ(nearest("", names), "");
}

}  // namespace
}  // namespace nfbus::host
