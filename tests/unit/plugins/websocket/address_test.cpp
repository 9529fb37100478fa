#include "address.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace websocket {
namespace {

TEST(Address, HasOneSpelling) {
  EXPECT_EQ(address_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(address_of("2001:DB8:0::0:1"), "2001:db8::1");
  EXPECT_EQ(address_of("0:0:0:0:0:0:0:1"), "::1");
  EXPECT_EQ(address_of("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(address_of("::FFFF:c000:201"), "192.0.2.1");
  EXPECT_EQ(address_of("::"), "::");
}

TEST(Address, IsNoneOfAnythingElse) {
  for (const std::string wrong : {"", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1 ", "2001:db8::1%eth0", "[::1]",
                                  "::1/128", "1:2", "02:00:00:00:00:01"}) {
    EXPECT_EQ(address_of(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(address_of(std::string("192.0.2.1\0x", 11)), std::nullopt);
}

}  // namespace
}  // namespace websocket
