#include "support/printable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nfbus::host {
namespace {

TEST(Printable, LeavesTextOfEveryLanguageAlone) {
  for (const char* text : {"nft:lan:in", " ~\\", "\xc3\xa9\xc2\xa0", "\xe2\x82\xac\xe2\x80\xa6\xe2\x80\x9c",
                           "\xd9\x85\xd8\xa7", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbd"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable("\x1b[2Ja\r\n\t\x7f"), R"(\x1b[2Ja\x0d\x0a\x09\x7f)");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), R"(a\x00b)");
  // CSI of Unicode does what ESC [ does.
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J\xc2\x80\xc2\x9f"),
            R"(\u009b2J\u0080\u009f)");
}

TEST(Printable, EscapesEachByteThatIsNotUtf8) {
  EXPECT_EQ(printable("\x9b"
                      "2J"),
            R"(\x9b2J)");
  EXPECT_EQ(printable("a\xff\xe2\x82z\xc0\x9b\xed\xa0\x80"), R"(a\xff\xe2\x82z\xc0\x9b\xed\xa0\x80)");
}

TEST(Printable, EscapesMarksThatTurnTheirNeighboursAroundOrHide) {
  const std::pair<const char*, const char*> cases[] = {{"\xc2\xad", R"(\u00ad)"},
                                                       {"\xd8\x9c", R"(\u061c)"},
                                                       {"\xe1\xa0\x8e", R"(\u180e)"},
                                                       {"\xe2\x80\x8b", R"(\u200b)"},
                                                       {"\xe2\x80\x8f", R"(\u200f)"},
                                                       {"\xe2\x80\xa8", R"(\u2028)"},
                                                       {"\xe2\x80\xae", R"(\u202e)"},
                                                       {"\xe2\x81\xa6", R"(\u2066)"},
                                                       {"\xe2\x81\xaf", R"(\u206f)"},
                                                       {"\xef\xbb\xbf", R"(\ufeff)"},
                                                       {"\xf3\xa0\x81\x81", R"(\U000e0041)"}};
  for (const auto& [text, escaped] : cases) {
    EXPECT_EQ(printable(std::string("a") + text + "b"), std::string("a") + escaped + "b");
  }
}

}  // namespace
}  // namespace nfbus::host
