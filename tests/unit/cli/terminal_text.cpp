#include "cli/terminal_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {
namespace {

TEST(Printable, LeavesTextOfEveryLanguageAlone) {
  for (const char* text : {"nft:lan:in", " ~", "\xc3\xa9\xc2\xa0", "\xe2\x82\xac\xe2\x80\xa6\xe2\x80\x9c",
                           "\xd9\x85\xd8\xa7", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ShowsControlCharactersAsQuestionMarks) {
  EXPECT_EQ(printable("\x1b[2Ja\r\n\t\x7f"), "?[2Ja????");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a?b");
  // CSI of Unicode does what ESC [ does.
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J\xc2\x80\xc2\x9f"),
            "?2J??");
}

TEST(Printable, ShowsWhatIsNotUtf8AsQuestionMarks) {
  EXPECT_EQ(printable("\x9b"
                      "2J"),
            "?2J");
  EXPECT_EQ(printable("a\xff\xe2\x82z\xc0\x9b\xed\xa0\x80"), "a??z?????");
}

TEST(Printable, ShowsMarksThatTurnTheirNeighboursAroundAsQuestionMarks) {
  for (const char last : {'\x8e', '\x8f', '\xa8', '\xa9', '\xaa', '\xae'}) {
    EXPECT_EQ(printable(std::string("a\xe2\x80") + last + "b"), "a?b") << static_cast<int>(last);
  }
  for (const char last : {'\xa6', '\xa9'}) EXPECT_EQ(printable(std::string("a\xe2\x81") + last), "a?");
  EXPECT_EQ(printable(std::string("a\xd8") + '\x9c'), "a?");
}

TEST(AddressText, KnowsBothFamiliesBySize) {
  EXPECT_EQ(address_text(std::array<std::uint8_t, 4>{192, 0, 2, 1}), "192.0.2.1");
  EXPECT_EQ(address_text(std::array<std::uint8_t, 16>{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
            "2001:db8::1");
}

}  // namespace
}  // namespace nfbus::host
