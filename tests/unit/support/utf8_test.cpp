#include "support/utf8.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace nfbus::host {
namespace {

TEST(Utf8, IsWhatRfc3629Allows) {
  for (const std::string_view good :
       {"", "a\n", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "x\xf4\x8f\xbf\xbfy"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
    EXPECT_EQ(valid_utf8(good), good);
  }
  for (const std::string_view bad : {"\xff", "a\x80", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_TRUE(is_utf8(valid_utf8(bad))) << bad;
  }
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

TEST(Utf8, HasOneReplacementForEachBrokenSequence) {
  EXPECT_EQ(valid_utf8("a\xe2\x82|\xff\xfe"), "a\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace nfbus::host
